"""Cancellation tokens: callbacks, futures of this and other loops, and what stays behind."""

import asyncio
import concurrent.futures
import gc
import threading
import weakref

import pytest

from ferrogen._core import CancellationToken


def test_callbacks_run_once_and_in_order():
    token, ran = CancellationToken(), []
    for number in range(3):
        token.add_callback(lambda number=number: ran.append(number))
    assert not token.is_cancelled()
    token.cancel()
    token.cancel()
    assert token.is_cancelled()
    assert ran == [0, 1, 2]


def test_a_callback_added_to_a_cancelled_token_runs_at_once():
    token, ran = CancellationToken(), []
    token.cancel()
    token.add_callback(lambda: ran.append("now"))
    assert ran == ["now"]


def test_a_callback_may_use_the_token_it_belongs_to():
    token, seen = CancellationToken(), []

    def callback() -> None:
        token.cancel()
        token.add_callback(lambda: seen.append("added"))
        seen.append(token.is_cancelled())

    token.add_callback(callback)
    token.cancel()
    assert seen == ["added", True]


def test_a_raising_callback_does_not_keep_the_others_from_running():
    token, ran = CancellationToken(), []

    def fail(text: str) -> None:
        raise ValueError(text)

    token.add_callback(lambda: fail("first"))
    token.add_callback(lambda: ran.append("between"))
    token.add_callback(lambda: fail("second"))
    token.add_callback(lambda: ran.append("after"))
    with pytest.raises(ValueError, match="first"):
        token.cancel()
    assert ran == ["between", "after"]
    token.cancel()


async def test_linked_futures_and_tasks_are_cancelled():
    token = CancellationToken()
    future = asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(asyncio.Event().wait())
    assert token.link_future(future) is future
    assert token.link_future(task) is task
    token.cancel()
    assert future.cancelled()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_future_linked_to_a_cancelled_token_is_cancelled_at_once():
    token = CancellationToken()
    token.cancel()
    assert token.link_future(asyncio.get_running_loop().create_future()).cancelled()


async def test_a_future_that_is_done_keeps_its_result():
    token = CancellationToken()
    future = asyncio.get_running_loop().create_future()
    future.set_result(1)
    token.link_future(future)
    token.cancel()
    assert future.result() == 1


async def test_settled_futures_leave_nothing_behind():
    token = CancellationToken()
    loop = asyncio.get_running_loop()
    gone = []
    for number in range(3):
        future = token.link_future(loop.create_future())
        gone.append(weakref.ref(future))
        if number:
            future.set_result(number)
        else:
            future.cancel()
    del future
    await asyncio.sleep(0)  # futures call their callbacks in the next round of the loop
    gc.collect()
    assert [reference() for reference in gone] == [None, None, None]
    assert not token._callbacks


async def test_a_coroutine_is_left_to_its_awaiter():
    token = CancellationToken()
    work = asyncio.sleep(0, "done")
    assert token.link_future(work) is work
    token.cancel()
    assert await work == "done"


def test_concurrent_futures_can_be_linked_too():
    token = CancellationToken()
    future: concurrent.futures.Future[None] = concurrent.futures.Future()
    token.link_future(future)
    token.cancel()
    assert future.cancelled()


async def test_a_future_of_this_loop_is_cancelled_in_this_thread_by_another_one():
    token = CancellationToken()
    future = token.link_future(asyncio.get_running_loop().create_future())
    cancelled_in = []
    future.add_done_callback(lambda _future: cancelled_in.append(threading.get_ident()))
    real_cancel_threads = []

    class Watched(asyncio.Future):
        def cancel(self, msg=None):
            real_cancel_threads.append(threading.get_ident())
            return super().cancel(msg)

    watched = token.link_future(Watched())
    thread = threading.Thread(target=token.cancel)
    thread.start()
    for pending in (future, watched):
        with pytest.raises(asyncio.CancelledError):
            await pending
    thread.join()
    await asyncio.sleep(0)
    assert cancelled_in == real_cancel_threads == [threading.get_ident()]


def test_cancelling_after_the_loop_was_closed_is_harmless():
    token = CancellationToken()
    loop = asyncio.new_event_loop()
    token.link_future(loop.create_future())
    loop.close()
    token.cancel()
    assert token.is_cancelled()


def test_each_callback_runs_exactly_once_however_many_threads_cancel_and_add():
    for _round in range(50):
        token, ran, threads = CancellationToken(), [], []
        start = threading.Barrier(4)

        def cancel(token=token, start=start):
            start.wait()
            token.cancel()

        def add(token=token, start=start, ran=ran):
            start.wait()
            for _callback in range(20):
                token.add_callback(lambda: ran.append(1))

        threads = [threading.Thread(target=target) for target in (cancel, cancel, add, add)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ran) == 40
        assert not token._callbacks
