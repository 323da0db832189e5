"""Workbenches: sets of tools that can share state and resources."""

import asyncio
import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen._core import CancellationToken
from ferrogen.components.component import ComponentBase
from ferrogen.exceptions import ToolCancelledError
from ferrogen.tools.cancellation import is_being_cancelled
from ferrogen.tools.guarding.workbenches import guarded_call_tool, guarded_call_tool_stream
from ferrogen.tools.results import ToolResult, failed
from ferrogen.tools.schema import ToolSchema

if TYPE_CHECKING:
    from ferrogen.tools.guarding.guard import Guard

_CallTool = Callable[..., Coroutine[Any, Any, ToolResult]]


class Workbench(ABC, ComponentBase[BaseModel]):
    """A set of tools that may share resources and state, and may change from call to call.

    ``async with`` starts it, and stops it in the end.

    Example:
        ```python
        from ferrogen.tools import Workbench


        async def menu(workbench: Workbench) -> list[str]:
            async with workbench:
                return [tool["name"] for tool in await workbench.list_tools()]
        ```
    """

    __module__ = "ferrogen.tools"

    component_type = "workbench"

    _tool_guards: "tuple[Guard, ...]" = ()
    _guards_at_tools: ClassVar[bool] = False
    """Set in the body of a class that does no more than to call tools, which ask the guards."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Make a cancelled or refused call a result, and let calls pass the guards."""
        super().__init_subclass__(**options)
        own = vars(cls).get("call_tool")
        if inspect.iscoroutinefunction(own):
            guarded = guarded_call_tool(own, at_tools=cls._guards_at_tools)
            cls.call_tool = _result_when_cancelled(guarded)  # type: ignore[method-assign]
        stream = vars(cls).get("call_tool_stream")
        if inspect.isasyncgenfunction(stream):
            cls.call_tool_stream = guarded_call_tool_stream(  # type: ignore[attr-defined]
                stream, at_tools=cls._guards_at_tools
            )
        cls._guards_at_tools = False

    @abstractmethod
    async def list_tools(self) -> list[ToolSchema]:
        """Describe the tools that are there now; after a call there may be others."""

    @abstractmethod
    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
        call_id: str | None = None,
    ) -> ToolResult:
        """Call a tool.

        Args:
            name: The tool, by the name that `list_tools` gives it.
            arguments: The arguments by name; none if not given.
            cancellation_token: Ends the call when it is cancelled.
            call_id: The id that the model gave to the call, for traces.

        Returns:
            The result. It has ``is_error`` if the tool fails, is not there, or is cancelled by the
            token.
        """

    @abstractmethod
    async def start(self) -> None:
        """Prepare the resources of the tools, before the first call."""

    @abstractmethod
    async def stop(self) -> None:
        """Release the resources of the tools, after the last call."""

    @abstractmethod
    async def reset(self) -> None:
        """Go back to how it was after `start`."""

    @abstractmethod
    async def save_state(self) -> Mapping[str, Any]:
        """Return the state in a form that JSON can hold."""

    @abstractmethod
    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Load a saved state."""

    async def __aenter__(self) -> Self:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        """Stop it."""
        await self.stop()


def _result_when_cancelled(call_tool: _CallTool) -> _CallTool:
    """Wrap a ``call_tool``: AgentChat's agents wait forever if it raises (decision 0027)."""

    @functools.wraps(call_tool)
    async def call(
        self: Workbench,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
        *others: Any,
        **options: Any,
    ) -> ToolResult:
        try:
            return await call_tool(self, name, arguments, cancellation_token, *others, **options)
        except asyncio.CancelledError:
            by_token = cancellation_token is not None and cancellation_token.is_cancelled()
            if not by_token or is_being_cancelled():
                raise
        return failed(name, ToolCancelledError("the call was cancelled: its token was cancelled"))

    return call


class StreamWorkbench(Workbench, ABC):
    """A workbench that can show what its tools have so far, before the result.

    Example:
        ```python
        from ferrogen.tools import StreamWorkbench, ToolResult


        async def show(workbench: StreamWorkbench, name: str) -> None:
            async for part in workbench.call_tool_stream(name):
                print("in the end" if isinstance(part, ToolResult) else "so far", part)
        ```
    """

    __module__ = "ferrogen.tools"

    @abstractmethod
    def call_tool_stream(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
        call_id: str | None = None,
    ) -> AsyncGenerator[Any | ToolResult, None]:
        """Call a tool like `call_tool` and yield what it shows; the last item is the result.

        Args:
            name: The tool, by the name that `list_tools` gives it.
            arguments: The arguments by name; none if not given.
            cancellation_token: Ends the call when it is cancelled.
            call_id: The id that the model gave to the call, for traces.
        """
