"""Wrappers that let the calls of methods pass the guards, around methods of any subclass."""

import functools
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from ferrogen._core import CancellationToken
from ferrogen.tools.guarding import scopes
from ferrogen.tools.protocol import Tool

if TYPE_CHECKING:
    from ferrogen.tools.guarding.passing import GuardedCall

_Run = Callable[..., Coroutine[Any, Any, Any]]
_Stream = Callable[..., AsyncGenerator[Any, None]]


def guarded_run(run_json: _Run) -> _Run:
    """Wrap a ``run_json`` of a tool."""

    @functools.wraps(run_json)
    async def run(
        self: Any,
        args: Mapping[str, Any],
        cancellation_token: CancellationToken | None = None,
        *others: Any,
        **options: Any,
    ) -> Any:
        call_id = options.get("call_id", others[0] if others else None)
        call = _of_tool(self, args, cancellation_token, call_id)
        if call is None:
            return await run_json(self, args, cancellation_token, *others, **options)
        return await call.run(
            lambda changed: run_json(self, changed, call.token, *others, **options)
        )

    return run


def guarded_stream(run_json_stream: _Stream) -> _Stream:
    """Wrap a ``run_json_stream`` of a tool."""

    @functools.wraps(run_json_stream)
    async def run(
        self: Any,
        args: Mapping[str, Any],
        cancellation_token: CancellationToken | None = None,
        *others: Any,
        **options: Any,
    ) -> AsyncGenerator[Any, None]:
        call_id = options.get("call_id", others[0] if others else None)
        call = _of_tool(self, args, cancellation_token, call_id)
        if call is None:
            stream = run_json_stream(self, args, cancellation_token, *others, **options)
        else:
            stream = call.stream(
                lambda changed: run_json_stream(self, changed, call.token, *others, **options)
            )
        async with aclosing(stream) as parts:
            async for part in parts:
                yield part

    return run


async def run_tool(
    tool: Tool, args: Mapping[str, Any], token: CancellationToken, call_id: str | None
) -> Any:
    """Call a tool, which can be of any class, past the guards."""
    if not scopes.in_use or hasattr(tool, "_tool_guards"):
        return await tool.run_json(args, token, call_id=call_id)
    from ferrogen.tools.guarding.passing import guarded_call

    call = guarded_call((), tool.name, call_id, token, args)
    if call is None:
        return await tool.run_json(args, token, call_id=call_id)
    return await call.run(lambda changed: tool.run_json(changed, token, call_id=call_id))


def _of_tool(
    tool: Any, args: Any, token: CancellationToken | None, call_id: str | None
) -> "GuardedCall | None":
    if not scopes.in_use:
        return None
    from ferrogen.tools.guarding.passing import guarded_call

    return guarded_call(tool._tool_guards, tool.name, call_id, token, args, delegates=True)
