"""The base of tools that show parts of a result before all of it."""

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from ferrogen._core import CancellationToken
from ferrogen.components.component import ComponentBase
from ferrogen.exceptions import ToolStreamError
from ferrogen.telemetry.genai import trace_tool_span
from ferrogen.telemetry.tracing import traced_stream
from ferrogen.tools.argument_errors import validated
from ferrogen.tools.base import ArgsT, BaseTool, ReturnT
from ferrogen.tools.context import ToolContext, context_parameter
from ferrogen.tools.guarding import scopes
from ferrogen.tools.guarding.wrapping import guarded_stream
from ferrogen.tools.protocol import StreamTool

StreamT = TypeVar("StreamT", covariant=True)  # noqa: PLC0105 - upstream's name


class BaseStreamTool(
    BaseTool[ArgsT, ReturnT],
    StreamTool,
    ABC,
    Generic[ArgsT, StreamT, ReturnT],
    ComponentBase[BaseModel],
):
    """The base of tools that show parts of a result before all of it.

    Example:
        ```python
        import asyncio
        from collections.abc import AsyncGenerator

        from pydantic import BaseModel

        from ferrogen import CancellationToken
        from ferrogen.tools import BaseStreamTool


        class Number(BaseModel):
            number: int


        class Countdown(BaseStreamTool[Number, Number, Number]):
            def __init__(self) -> None:
                super().__init__(Number, Number, "countdown", "Counts down to nought.")

            async def run(self, args: Number, cancellation_token: CancellationToken) -> Number:
                return Number(number=0)

            async def run_stream(
                self, args: Number, cancellation_token: CancellationToken
            ) -> AsyncGenerator[Number, None]:
                for number in range(args.number, -1, -1):
                    yield Number(number=number)


        async def main() -> None:
            stream = Countdown().run_json_stream({"number": 2}, CancellationToken())
            assert [part.number async for part in stream] == [2, 1, 0]


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.tools"

    component_type = "tool"

    def __init_subclass__(cls, **options: Any) -> None:
        """Let the calls of a ``run_json_stream`` of its own pass the guards."""
        super().__init_subclass__(**options)
        own = vars(cls).get("run_json_stream")
        if inspect.isasyncgenfunction(own):
            cls.run_json_stream = guarded_stream(own)  # type: ignore[method-assign]

    @abstractmethod
    def run_stream(
        self, args: ArgsT, cancellation_token: CancellationToken
    ) -> AsyncGenerator[StreamT | ReturnT, None]:
        """Do what the tool is for, and yield parts of the result; the last item is the result.

        Args:
            args: The arguments, checked.
            cancellation_token: Cancelled when the result is not needed any more.
        """

    async def run_json_stream(
        self,
        args: Mapping[str, Any],
        cancellation_token: CancellationToken | None = None,
        call_id: str | None = None,
    ) -> AsyncGenerator[StreamT | ReturnT, None]:
        """Validate the arguments and yield what `run_stream` yields, in a span.

        Args:
            args: The arguments by name, as decoded from JSON.
            cancellation_token: Passed to `run_stream`; by default a new one.
            call_id: The id that the model gave to the call, for the span.

        Raises:
            ToolArgumentsError: The arguments do not fit (it is a ``pydantic.ValidationError``).
            ToolRefusedError: A `Guard` did not let the call pass.
            ToolStreamError: The stream yielded nothing, or ended with something else than a
                result.
        """
        token = CancellationToken() if cancellation_token is None else cancellation_token
        call = self._guarded(args, token, call_id) if scopes.in_use else None
        if call is None:
            stream = self._traced_stream(args, token, call_id)
        else:
            stream = call.stream(lambda changed: self._traced_stream(changed, token, call_id))
        # A caller that stops listening ends the tool's generator there and then.
        async with aclosing(stream) as parts:
            async for part in parts:
                yield part

    async def _traced_stream(
        self, args: Mapping[str, Any], token: CancellationToken, call_id: str | None
    ) -> AsyncGenerator[StreamT | ReturnT, None]:
        """Validate the arguments and yield what `run_stream` yields, in a span."""
        last: StreamT | ReturnT | None = None
        span = trace_tool_span(self._name, tool_description=self._description, tool_call_id=call_id)
        stream = traced_stream(span, self._parts(args, token, call_id))
        async with aclosing(stream) as parts:
            async for last in parts:
                yield last
        if last is None:
            raise ToolStreamError(
                "The tool must yield a final return value at the end of the stream."
            )
        if not isinstance(last, self._return_type):
            kind = self._return_type
            # A union has a name, too, since CPython 3.14, which is Union.
            wanted = kind.__name__ if isinstance(kind, type) else kind
            raise ToolStreamError(
                f"Expected return value of type {wanted}, but got {type(last).__name__}"
            )
        self._log_call(args, last)

    async def _parts(
        self, args: Mapping[str, Any], token: CancellationToken, call_id: str | None
    ) -> AsyncGenerator[StreamT | ReturnT, None]:
        checked: Any = validated(self._args_type, args)
        parameter = _context_parameter(type(self))
        others: dict[str, Any] = {}
        if parameter is not None:
            others[parameter] = ToolContext.of_call(self._name, call_id, token, None)
        async with aclosing(self.run_stream(checked, token, **others)) as parts:
            async for part in parts:
                yield part


@functools.cache
def _context_parameter(kind: type[BaseStreamTool[Any, Any, Any]]) -> str | None:
    return context_parameter(kind.run_stream)
