"""Calls of synchronous tools in threads, where they can check for cancellation.

A thread cannot be ended from outside, so to cancel it is to raise a flag that it may look at.
"""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any

from ferrogen._core import CancellationToken
from ferrogen.exceptions import ToolCancelledError
from ferrogen.tools.cancellation import value_of


@dataclass
class _Call:
    token: CancellationToken
    given_up: bool = False


_current_call: ContextVar[_Call] = ContextVar("ferrogen_tool_call")


def tool_call_cancelled() -> bool:
    """Whether the call that a synchronous tool runs for has been cancelled.

    To cancel a call frees the caller at once, while the thread of the tool runs on. A function
    that works for long asks this now and then, however deep in it, and returns when it is true.

    Returns:
        True once the caller's token is cancelled, or the caller has stopped waiting for another
        reason, such as a timeout. False outside the thread of a synchronous tool.

    Example:
        ```python
        import asyncio

        from ferrogen import CancellationToken
        from ferrogen.tools import FunctionTool, tool_call_cancelled


        def count_primes(below: int) -> int:
            found = 0
            for number in range(2, below):
                if tool_call_cancelled():
                    break
                found += all(number % divisor for divisor in range(2, number))
            return found


        tool = FunctionTool(count_primes, "Counts the primes below a number.")
        assert asyncio.run(tool.run_json({"below": 20}, CancellationToken())) == 8
        ```
    """
    call = _current_call.get(None)
    return call is not None and (call.given_up or call.token.is_cancelled())


async def run_in_thread(
    function: Callable[[], Any], token: CancellationToken, *, takes_token: bool
) -> Any:
    """Run a function in a thread, in a copy of the current context.

    Args:
        function: The function to run.
        token: Frees the caller when it is cancelled, and raises the flag.
        takes_token: The function has the token itself and ends as it sees fit, so the caller
            waits for what it makes of that.

    Raises:
        asyncio.CancelledError: The token or the caller was cancelled.
        ToolCancelledError: The function raised a ``CancelledError``.
    """
    if token.is_cancelled() and not takes_token:
        raise asyncio.CancelledError
    call = _Call(token)
    inside = partial(copy_context().run, _work, call, function)
    future = asyncio.get_running_loop().run_in_executor(None, inside)
    try:
        return await value_of(future, CancellationToken() if takes_token else token)
    except (asyncio.CancelledError, ToolCancelledError):
        call.given_up = True
        raise


def _work(call: _Call, function: Callable[[], Any]) -> Any:
    _current_call.set(call)
    try:
        return function()
    except StopIteration as error:  # no future can hold it: the caller would wait forever
        raise RuntimeError("the tool raised StopIteration") from error
