"""Synchronous tools run in threads, and are notified there when the call is abandoned."""

import asyncio
import threading
from functools import partial

import pytest

from ferrogen import CancellationToken
from ferrogen.tools import tool_call_cancelled
from ferrogen.tools.thread_call import run_in_thread


class Work:
    """Work that starts, waits for its release, and notes whether it was cancelled."""

    def __init__(self):
        self.started, self.release, self.ended = (threading.Event() for _ in range(3))
        self.cancelled = None

    def __call__(self):
        self.started.set()
        self.release.wait(5)
        self.cancelled = tool_call_cancelled()
        self.ended.set()

    async def end(self):
        self.release.set()
        assert await asyncio.to_thread(self.ended.wait, 5)


def test_outside_a_tool_nothing_is_cancelled():
    assert tool_call_cancelled() is False


async def test_a_call_without_cancellation_is_not_cancelled():
    assert await run_in_thread(tool_call_cancelled, CancellationToken(), takes_token=False) is False


async def test_a_caller_that_is_cancelled_raises_the_flag_without_the_token():
    work, token = Work(), CancellationToken()
    call = asyncio.ensure_future(run_in_thread(work, token, takes_token=False))
    await asyncio.to_thread(work.started.wait, 5)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await work.end()
    assert work.cancelled is True
    assert not token.is_cancelled()


async def test_each_call_has_a_flag_of_its_own():
    first, second = Work(), Work()
    calls = []
    for work in (first, second):
        calls.append(
            asyncio.ensure_future(run_in_thread(work, CancellationToken(), takes_token=False))
        )
        await asyncio.to_thread(work.started.wait, 5)
    calls[0].cancel()
    await asyncio.wait(calls[:1])
    await first.end()
    await second.end()
    await calls[1]
    assert (first.cancelled, second.cancelled) == (True, False)


async def test_a_token_that_is_cancelled_already_starts_no_work():
    work, token = Work(), CancellationToken()
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run_in_thread(work, token, takes_token=False)
    assert not work.started.is_set()


async def test_stop_iteration_reaches_the_caller_as_a_runtime_error():
    call = run_in_thread(partial(next, iter(())), CancellationToken(), takes_token=False)
    with pytest.raises(RuntimeError, match="the tool raised StopIteration"):
        await asyncio.wait_for(call, 150)
