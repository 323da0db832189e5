"""Protocols of tools."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from ferrogen._core import CancellationToken
from ferrogen.tools.schema import ToolSchema


@runtime_checkable
class Tool(Protocol):
    """Something that a model can call.

    Example:
        ```python
        from ferrogen.tools import Tool


        def menu(tools: list[Tool]) -> str:
            return ", ".join(f"{tool.name}: {tool.description}" for tool in tools)


        assert menu([]) == ""
        ```
    """

    @property
    def name(self) -> str:
        """The name for the model."""
        ...

    @property
    def description(self) -> str:
        """The description for the model."""
        ...

    @property
    def schema(self) -> ToolSchema:
        """Name, description and parameters, for the model."""
        ...

    def args_type(self) -> type[BaseModel]:
        """Return the model of its arguments."""
        ...

    def return_type(self) -> type[Any]:
        """Return the type of its results."""
        ...

    def state_type(self) -> type[BaseModel] | None:
        """Return the model of its state, or None if it has none."""
        ...

    def return_value_as_string(self, value: Any) -> str:
        """Return a result as text for the model."""
        ...

    async def run_json(
        self,
        args: Mapping[str, Any],
        cancellation_token: CancellationToken,
        call_id: str | None = None,
    ) -> Any:
        """Run it with arguments as the model wrote them, decoded from JSON.

        Args:
            args: The arguments by name.
            cancellation_token: Ends the run when it is cancelled.
            call_id: The id that the model gave to the call, for traces.
        """
        ...

    async def save_state_json(self) -> Mapping[str, Any]:
        """Return the state in a form that JSON can hold."""
        ...

    async def load_state_json(self, state: Mapping[str, Any]) -> None:
        """Load a saved state."""
        ...


@runtime_checkable
class StreamTool(Tool, Protocol):
    """A tool that can show what it has so far, before the result.

    Example:
        ```python
        from ferrogen.tools import StreamTool, Tool


        def streaming(tools: list[Tool]) -> list[Tool]:
            return [tool for tool in tools if isinstance(tool, StreamTool)]


        assert streaming([]) == []
        ```
    """

    def run_json_stream(
        self,
        args: Mapping[str, Any],
        cancellation_token: CancellationToken,
        call_id: str | None = None,
    ) -> AsyncGenerator[Any, None]:
        """Run it like `run_json` and yield parts of the result; the last item is the result."""
        ...
