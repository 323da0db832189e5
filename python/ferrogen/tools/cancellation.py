"""Calls of tools that end when a token is cancelled.

A cancelled call and a cancelled caller both look like a ``CancelledError`` to a caller that awaits
the call. Here a cancelled call is a `ToolCancelledError`, which a caller can handle.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeVar

from ferrogen._core import CancellationToken
from ferrogen.exceptions import ToolCancelledError

_ValueT = TypeVar("_ValueT")


async def result_of(call: "asyncio.Future[_ValueT]", token: CancellationToken) -> _ValueT:
    """Wait for a call.

    Args:
        call: A task or future.
        token: Cancels the call.

    Raises:
        ToolCancelledError: The call was cancelled, by the token or by itself.
        asyncio.CancelledError: The caller was cancelled, and so was the call.
    """
    _ = token.link_future(call)
    try:
        await asyncio.wait({call})
    except asyncio.CancelledError:
        await end_of(call)
        raise
    return _outcome(call, token)


async def value_of(call: "asyncio.Future[_ValueT]", token: CancellationToken) -> _ValueT:
    """Wait for a call as `result_of` does, for a caller that expects upstream's exception.

    Args:
        call: A task or future.
        token: Cancels the call.

    Raises:
        asyncio.CancelledError: The token or the caller was cancelled, and so was the call.
        ToolCancelledError: The call was cancelled by itself.
    """
    try:
        return await result_of(call, token)
    except ToolCancelledError:
        if token.is_cancelled():
            raise asyncio.CancelledError from None
        raise


async def parts_of(
    stream: AsyncGenerator[_ValueT, None], token: CancellationToken
) -> AsyncGenerator[_ValueT, None]:
    """Yield the parts of a stream, which runs in one task from its beginning to its end.

    Args:
        stream: Goes on to its next part when that is asked for; closed in the end.
        token: Cancels the task.

    Raises:
        ToolCancelledError: The stream was cancelled, by the token or by itself.
        asyncio.CancelledError: The caller was cancelled, and so was the stream.
    """
    parts: deque[_ValueT] = deque()
    changed, wanted = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        async with aclosing(stream):
            async for part in stream:
                parts.append(part)
                changed.set()
                await wanted.wait()
                wanted.clear()

    call = asyncio.ensure_future(run())
    call.add_done_callback(lambda _: changed.set())
    _ = token.link_future(call)
    try:
        while True:
            await changed.wait()
            changed.clear()
            if parts:
                yield parts.popleft()
                wanted.set()
            if call.done():
                break
    finally:
        await end_of(call)
    _outcome(call, token)


def _outcome(call: "asyncio.Future[_ValueT]", token: CancellationToken) -> _ValueT:
    if not call.cancelled():
        error = call.exception()
        if not isinstance(error, asyncio.CancelledError):  # a function in a thread can raise it
            return call.result()
    reason = "its token was cancelled" if token.is_cancelled() else "by the tool itself"
    raise ToolCancelledError(f"the call was cancelled: {reason}")


def is_being_cancelled() -> bool:
    """Whether the current task has a request to cancel it. Always true on CPython 3.10."""
    task = asyncio.current_task()
    cancelling = getattr(task, "cancelling", None)
    return cancelling is None or cancelling() > 0


async def end_of(call: "asyncio.Future[Any]") -> None:
    """Cancel a call, and wait until it has ended, however often the caller is cancelled."""
    interrupted = False
    while not call.done():
        call.cancel()
        try:
            await asyncio.wait({call})
        except asyncio.CancelledError:
            interrupted = True  # the next round cancels the call again
    if not call.cancelled():
        call.exception()  # retrieved, or it would be logged
    if interrupted:
        raise asyncio.CancelledError
