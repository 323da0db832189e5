"""Handlers that yield to the event loop are tasks like others, however they were called."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    CancellationToken,
    DefaultInterventionHandler,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import DeadlineExceededError

from .function_agents import Doing, Iterations, register

Runtime = SingleThreadedAgentRuntime
Way = Callable[..., Awaitable[Any]]

NEWS = TopicId("news", "default")


async def publish(runtime: Runtime, recipient: AgentId, **how: Any) -> Any:
    return await runtime.publish_message("x", NEWS, **how)


async def send(runtime: Runtime, recipient: AgentId, **how: Any) -> Any:
    return await runtime.send_message("x", recipient, **how)


async def gather(runtime: Runtime, recipient: AgentId, **how: Any) -> Any:
    return (await asyncio.gather(runtime.send_message("x", recipient, **how)))[0]


async def send_from_a_task(runtime: Runtime, recipient: AgentId, **how: Any) -> Any:
    async def sending() -> Any:
        return await runtime.send_message("x", recipient, **how)

    return await asyncio.create_task(sending())


WAYS = [publish, send, gather, send_from_a_task]


async def started(act: Any, **how: Any) -> tuple[Runtime, AgentId]:
    runtime = Runtime(**how)
    recipient = (await register(runtime, "one", act))()
    await runtime.add_subscription(TypeSubscription("news", "one"))
    runtime.start()
    return runtime, recipient


@asynccontextmanager
async def running(act: Any) -> AsyncIterator[tuple[Runtime, AgentId]]:
    runtime, recipient = await started(act)
    yield runtime, recipient
    await runtime.stop_when_idle()
    await runtime.close()


class Spinning:
    """A handler that yields until it is cancelled, and remembers its task and how it ended."""

    def __init__(self) -> None:
        self.task: Any = None
        self.begun = asyncio.Event()
        self.errors: list[BaseException] = []

    async def __call__(self, agent: Doing, message: Any, ctx: Any) -> Any:
        self.task = asyncio.current_task()
        self.begun.set()
        try:
            while True:  # noqa: ASYNC110 - it is to yield, not to wait
                await asyncio.sleep(0)
        except BaseException as error:
            self.errors.append(error)
            raise


@pytest.mark.parametrize("way", WAYS)
async def test_its_task_can_be_looked_at_and_cancelled(way: Way) -> None:
    act = Spinning()
    async with running(act) as (runtime, recipient):
        calling = asyncio.ensure_future(way(runtime, recipient))
        await act.begun.wait()
        await asyncio.sleep(0)
        task = act.task
        assert task in asyncio.all_tasks()
        assert not task.done()
        assert "Doing.on_message_impl" in repr(task)
        assert [frame.f_code.co_name for frame in task.get_stack()] == ["on_message_impl"]
        assert task.cancel("enough")
        assert task.cancelling() == 1 if sys.version_info >= (3, 11) else True
        if way is not publish:
            with pytest.raises(asyncio.CancelledError):
                await calling
        await runtime.stop_when_idle()
        runtime.start()
    assert [type(error) for error in act.errors] == [asyncio.CancelledError]
    assert act.errors[0].args == ("enough",)


@pytest.mark.parametrize("way", WAYS)
async def test_a_cancellation_of_the_agent_reaches_it(way: Way) -> None:
    act = Spinning()
    async with running(act) as (runtime, recipient):
        calling = asyncio.ensure_future(way(runtime, recipient))
        await act.begun.wait()
        assert runtime.cancel(recipient) == 1
        with suppress(asyncio.CancelledError):
            await calling
    assert [type(error) for error in act.errors] == [asyncio.CancelledError]


@pytest.mark.parametrize("way", [send, gather, send_from_a_task])
async def test_a_token_that_its_task_is_linked_with_has_reached_it_before_its_sender(
    way: Way,
) -> None:
    act, token = Spinning(), CancellationToken()

    async def links(agent: Doing, message: Any, ctx: Any) -> Any:
        ctx.cancellation_token.link_future(asyncio.current_task())
        await act(agent, message, ctx)

    async with running(links) as (runtime, recipient):
        calling = asyncio.ensure_future(way(runtime, recipient, cancellation_token=token))
        await act.begun.wait()
        await asyncio.sleep(0)
        token.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert [type(error) for error in act.errors] == [asyncio.CancelledError]


@pytest.mark.parametrize("way", WAYS)
async def test_a_deadline_reaches_it(way: Way) -> None:
    act = Spinning()
    async with running(act) as (runtime, recipient):
        calling = asyncio.ensure_future(way(runtime, recipient, timeout=0.01))
        if way is publish:
            await calling
        else:
            with pytest.raises(DeadlineExceededError):
                await calling
    assert [type(error) for error in act.errors] == [asyncio.CancelledError]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout came with 3.11")
@pytest.mark.parametrize("way", WAYS)
async def test_a_time_limit_of_its_own_ends_it(way: Way) -> None:
    outcomes: list[Any] = []

    async def limits(agent: Doing, message: Any, ctx: Any) -> Any:
        try:
            async with asyncio.timeout(0.001):  # type: ignore[attr-defined, unused-ignore]
                while True:  # noqa: ASYNC110 - it is to yield, not to wait
                    await asyncio.sleep(0)
        except TimeoutError:
            await asyncio.sleep(0)
            outcomes.append("timeout")
        return message

    async with running(limits) as (runtime, recipient):
        assert await way(runtime, recipient) == (None if way is publish else "x")
    assert outcomes == ["timeout"]


@pytest.mark.parametrize("way", WAYS)
async def test_each_yield_is_one_iteration(way: Way) -> None:
    iterations = Iterations()
    seen: list[int] = []

    async def yields(agent: Doing, message: Any, ctx: Any) -> Any:
        seen.extend([await iterations.of_a_yield() for _ in range(5)])

    async with running(yields) as (runtime, recipient):
        await way(runtime, recipient)
    iterations.stop()
    assert seen == [1] * 5


@pytest.mark.parametrize("way", WAYS)
async def test_it_may_yield_and_wait_in_turn(way: Way) -> None:
    tasks = set()

    async def mixes(agent: Doing, message: Any, ctx: Any) -> Any:
        for seconds in (0, 0.001, 0, 0, 0.001, 0):
            tasks.add(asyncio.current_task())
            await asyncio.sleep(seconds)
            tasks.add(asyncio.current_task())
        await asyncio.gather(*(asyncio.sleep(0) for _ in range(3)))
        return message

    async with running(mixes) as (runtime, recipient):
        assert await way(runtime, recipient) == (None if way is publish else "x")
    assert len(tasks) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_its_task_is_done_when_its_sender_goes_on(way: Way) -> None:
    tasks: list[Any] = []

    async def yields(agent: Doing, message: Any, ctx: Any) -> Any:
        tasks.append(asyncio.current_task())
        await asyncio.sleep(0)
        return message

    async with running(yields) as (runtime, recipient):
        await way(runtime, recipient)
        if way is publish:
            await runtime.stop_when_idle()
            runtime.start()
        await asyncio.sleep(0)
        assert tasks[0].done()
        assert await asyncio.wait_for(tasks[0], 1) is None


@pytest.mark.parametrize("way", WAYS)
async def test_closing_cancels_it(way: Way) -> None:
    act = Spinning()
    runtime, recipient = await started(act)
    calling = asyncio.ensure_future(way(runtime, recipient))
    await act.begun.wait()
    await runtime.close()
    with suppress(asyncio.CancelledError):
        await calling
    assert [type(error) for error in act.errors] == [asyncio.CancelledError]


@pytest.mark.parametrize("way", WAYS)
def test_the_end_of_the_event_loop_cancels_it_and_leaves_nothing(way: Way) -> None:
    async def main() -> tuple[weakref.ref[Any], list[BaseException]]:
        act = Spinning()
        runtime, recipient = await started(act)
        calling = asyncio.ensure_future(way(runtime, recipient))
        await act.begun.wait()
        calling.add_done_callback(lambda done: done.cancelled() or done.exception())
        return weakref.ref(runtime), act.errors

    dropped, errors = asyncio.run(main())
    assert [type(error) for error in errors] == [asyncio.CancelledError]
    errors.clear()  # their tracebacks refer to the agent
    gc.collect()
    if way is not publish:  # pytest keeps the record of its error
        assert dropped() is None


@pytest.mark.parametrize("concurrency", [1, 3, None])
async def test_many_of_them_end_in_their_order(concurrency: int | None) -> None:
    seen: list[str] = []
    running_now = most = 0

    async def yields(agent: Doing, message: Any, ctx: Any) -> Any:
        nonlocal running_now, most
        running_now += 1
        most = max(most, running_now)
        for _ in range(10):
            await asyncio.sleep(0)
        running_now -= 1
        seen.append(message)
        return message

    async with running(yields) as (runtime, recipient):
        runtime.set_agent_options("one", AgentOptions(concurrency=concurrency))
        numbers = [str(number) for number in range(200)]
        calls = [runtime.send_message(number, recipient) for number in numbers]
        assert await asyncio.gather(*calls) == numbers
    assert seen == numbers
    assert most == concurrency or (concurrency is None and most > 3)


class FullLoop(asyncio.SelectorEventLoop):
    """An event loop without memory for the callback that resumes a handler."""

    is_full = False

    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        if self.is_full and getattr(callback, "__name__", "") == "resume_yielded":
            self.is_full = False
            raise MemoryError
        return super().call_soon(callback, *args, context=context)


class Yielding(DefaultInterventionHandler):
    async def on_send(self, message: Any, **how: Any) -> Any:
        await asyncio.sleep(0)
        return message

    async def on_publish(self, message: Any, **how: Any) -> Any:
        await asyncio.sleep(0)
        return message


@pytest.mark.parametrize("is_intercepted", [False, True], ids=["handler", "intervention"])
@pytest.mark.parametrize("way", [publish, gather, send_from_a_task])
def test_an_error_of_the_event_loop_loses_no_message(way: Way, is_intercepted: bool) -> None:
    loop = FullLoop()

    async def twice(agent: Doing, message: Any, ctx: Any) -> Any:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return message

    async def main() -> None:
        interceptors = [Yielding()] if is_intercepted else None
        runtime, recipient = await started(twice, intervention_handlers=interceptors)
        assert await runtime.send_message("x", recipient) == "x"
        loop.is_full = True
        calling = asyncio.ensure_future(way(runtime, recipient))
        if way is publish:
            await calling
        else:
            with suppress(MemoryError):
                await calling
        await runtime.stop_when_idle()
        # In task mode, asyncio steps the handler.
        assert not loop.is_full or not is_intercepted
        loop.is_full = False
        runtime.start()
        assert await runtime.send_message("y", recipient) == "y"
        await runtime.close()

    with closing(loop):
        loop.run_until_complete(main())
