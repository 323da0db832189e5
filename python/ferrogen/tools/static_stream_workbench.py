"""Static workbench with streaming tools."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from ferrogen._core import CancellationToken
from ferrogen.tools.cancellation import parts_of
from ferrogen.tools.protocol import StreamTool
from ferrogen.tools.results import ToolResult, failed
from ferrogen.tools.static_workbench import StaticWorkbench, not_found, to_result
from ferrogen.tools.workbench import StreamWorkbench


class StaticStreamWorkbench(StaticWorkbench, StreamWorkbench):
    """A workbench of tools that are given to it, which can stream what they show.

    Example:
        ```python
        import asyncio

        from ferrogen.tools import FunctionTool, StaticStreamWorkbench


        def add(a: int, b: int) -> int:
            return a + b


        async def main() -> None:
            workbench = StaticStreamWorkbench([FunctionTool(add, "Adds.")])
            parts = [part async for part in workbench.call_tool_stream("add", {"a": 1, "b": 2})]
            assert [part.to_text() for part in parts] == ["3"]  # no stream tool: the result alone


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.tools"

    component_provider_override = "autogen_core.tools.StaticStreamWorkbench"
    _guards_at_tools = True

    async def call_tool_stream(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
        call_id: str | None = None,
    ) -> AsyncGenerator[Any | ToolResult, None]:
        """Call a tool and yield what it shows; the last item is the result.

        Args:
            name: The tool, by either of its names.
            arguments: The arguments by name; none if not given.
            cancellation_token: Cancels the call; the result has ``is_error`` then.
            call_id: The id that the model gave to the call, for traces.

        Yields:
            The parts of a stream tool except for the last one, from which the result is made; then
            the `ToolResult`.

        Raises:
            asyncio.CancelledError: The caller was cancelled, and so was the call.
        """
        tool = self._find(name)
        if tool is None:
            yield not_found(name)
            return
        token = cancellation_token or CancellationToken()
        held: Any = None
        try:
            if isinstance(tool, StreamTool):
                stream = tool.run_json_stream(arguments or {}, token, call_id=call_id)
                async with aclosing(parts_of(stream, token)) as parts:
                    async for part in parts:
                        if held is not None:
                            yield held
                        held = part
            else:
                held = await self._run(tool, arguments or {}, token, call_id)
        except Exception as error:  # noqa: BLE001 - the model gets the error, and can correct the call
            if held is not None:
                yield held
            yield failed(name, error)
        else:
            yield to_result(name, tool, held)
