"""Wrappers that let the calls of workbenches pass the guards; a refused call is a result."""

import functools
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from ferrogen._core import CancellationToken
from ferrogen.tools.guarding import scopes
from ferrogen.tools.results import ToolResult, failed

if TYPE_CHECKING:
    from ferrogen.tools.guarding.passing import GuardedCall

_CallTool = Callable[..., Coroutine[Any, Any, ToolResult]]
_Stream = Callable[..., AsyncGenerator[Any, None]]


def guarded_call_tool(call_tool: _CallTool, *, at_tools: bool) -> _CallTool:
    """Wrap a ``call_tool``.

    Args:
        call_tool: The method.
        at_tools: Whether it only calls tools, so that only the guards of the workbench itself are
            passed here, and all others at the tool.
    """

    @functools.wraps(call_tool)
    async def guarded(
        self: Any,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
        *others: Any,
        **options: Any,
    ) -> ToolResult:
        call_id = options.get("call_id", others[0] if others else None)
        call = _of_workbench(self, name, arguments, cancellation_token, call_id, at_tools)
        if call is None:
            return await call_tool(self, name, arguments, cancellation_token, *others, **options)
        try:
            return await call.run(
                lambda changed: call_tool(self, name, changed, call.token, *others, **options)
            )
        except Exception as error:  # noqa: BLE001 - AgentChat's agents wait forever if it raises
            return failed(name, error)

    return guarded


def guarded_call_tool_stream(call_tool_stream: _Stream, *, at_tools: bool) -> _Stream:
    """Wrap a ``call_tool_stream``.

    Args:
        call_tool_stream: The method.
        at_tools: See `guarded_call_tool`.
    """

    @functools.wraps(call_tool_stream)
    async def guarded(
        self: Any,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
        *others: Any,
        **options: Any,
    ) -> AsyncGenerator[Any, None]:
        call_id = options.get("call_id", others[0] if others else None)
        call = _of_workbench(self, name, arguments, cancellation_token, call_id, at_tools)
        if call is None:
            stream = call_tool_stream(self, name, arguments, cancellation_token, *others, **options)
        else:
            stream = call.stream(
                lambda changed: call_tool_stream(
                    self, name, changed, call.token, *others, **options
                )
            )
        try:
            async with aclosing(stream) as parts:
                async for part in parts:
                    yield part
        except Exception as error:
            if call is None:
                raise
            yield failed(name, error)

    return guarded


def _of_workbench(
    workbench: Any,
    name: str,
    arguments: Mapping[str, Any] | None,
    token: CancellationToken | None,
    call_id: str | None,
    at_tools: bool,
) -> "GuardedCall | None":
    if not scopes.in_use:
        return None
    from ferrogen.tools.guarding.passing import guarded_call

    return guarded_call(
        workbench._tool_guards,
        name,
        call_id,
        token,
        arguments or {},
        delegates=True,
        only_attached=at_tools,
    )
