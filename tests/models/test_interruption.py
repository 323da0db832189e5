"""A cancelled token ends what is awaited, and leaves the task that waited as it was."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ferrogen import CancellationToken
from ferrogen.models.interruption import Interruption


async def test_what_is_awaited_is_ended() -> None:
    token = CancellationToken()
    asyncio.get_running_loop().call_soon(token.cancel)
    with Interruption(token) as interruption, pytest.raises(asyncio.CancelledError):
        await interruption.of(asyncio.Event().wait())
    await asyncio.sleep(0)  # the task is not cancelled


async def test_a_token_of_another_thread_ends_it_too() -> None:
    token = CancellationToken()
    with Interruption(token) as interruption:
        waiting = asyncio.ensure_future(interruption.of(asyncio.Event().wait()))
        await asyncio.sleep(0)
        thread = threading.Thread(target=token.cancel)
        thread.start()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        thread.join()


async def test_nothing_is_begun_with_a_cancelled_token() -> None:
    token = CancellationToken()
    token.cancel()
    begun: list[int] = []

    async def work() -> None:
        begun.append(1)

    with Interruption(token) as interruption, pytest.raises(asyncio.CancelledError):
        await interruption.of(work())
    assert begun == []


async def test_work_is_done_without_a_token_and_with_one_that_is_left_alone() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    for token in (None, CancellationToken()):
        with Interruption(token) as interruption:
            assert await interruption.of(work()) == 7


async def test_a_token_that_is_cancelled_afterwards_ends_nothing() -> None:
    token = CancellationToken()
    with Interruption(token) as interruption:
        await interruption.of(asyncio.sleep(0))
    token.cancel()
    await asyncio.sleep(0)


async def test_a_timeout_around_it_is_still_a_timeout() -> None:
    with Interruption(CancellationToken()) as interruption, pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(interruption.of(asyncio.Event().wait()), 0.001)
