"""Intervention methods that suspend: whatever they await, the chain goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    DefaultInterventionHandler,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)

from .function_agents import Doing, Iterations, boom, echo, register

Pause = Callable[[], Awaitable[Any]]
Elsewhere = tuple[SingleThreadedAgentRuntime, AgentId]

METHODS = ("on_send", "on_publish", "on_response")


async def yield_once(elsewhere: Elsewhere) -> None:
    await asyncio.sleep(0)


async def yield_twice(elsewhere: Elsewhere) -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def await_timer(elsewhere: Elsewhere) -> None:
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(0.001, done.set)
    await done.wait()


async def send_elsewhere(elsewhere: Elsewhere) -> None:
    runtime, recipient = elsewhere
    assert await runtime.send_message("elsewhere", recipient) == "elsewhere"


async def all_of_it(elsewhere: Elsewhere) -> None:
    for pause in (yield_once, send_elsewhere, yield_twice, await_timer, yield_once):
        await pause(elsewhere)


PAUSES = [yield_once, yield_twice, await_timer, send_elsewhere, all_of_it]


class Pausing(DefaultInterventionHandler):
    """Pauses in each method, and appends its name to what passes."""

    def __init__(self, name: str, pause: Pause) -> None:
        self.name, self.pause = name, pause
        self.tasks: list[tuple[Any, Any]] = []

    async def _pass(self, message: Any) -> Any:
        before = asyncio.current_task()
        await self.pause()
        self.tasks.append((before, asyncio.current_task()))
        return message + self.name

    async def on_send(self, message: Any, **how: Any) -> Any:
        return await self._pass(message)

    async def on_publish(self, message: Any, **how: Any) -> Any:
        return await self._pass(message)

    async def on_response(self, message: Any, **how: Any) -> Any:
        return await self._pass(message)


async def slowly(agent: Doing, message: Any, ctx: Any) -> Any:
    await asyncio.sleep(0.001)
    return message


@asynccontextmanager
async def elsewhere() -> AsyncIterator[Elsewhere]:
    """Another runtime, whose handler suspends."""
    runtime = SingleThreadedAgentRuntime()
    recipient = await register(runtime, "other", slowly)
    runtime.start()
    yield runtime, recipient()
    await runtime.stop_when_idle()


@asynccontextmanager
async def running(
    *handlers: Any, act: Any = echo
) -> AsyncIterator[tuple[SingleThreadedAgentRuntime, AgentId]]:
    runtime = SingleThreadedAgentRuntime(intervention_handlers=list(handlers))
    recipient = await register(runtime, "one", act)
    await runtime.add_subscription(TypeSubscription("news", "one"))
    runtime.start()
    yield runtime, recipient()
    await runtime.stop_when_idle()
    await runtime.close()


@pytest.mark.parametrize("second", PAUSES)
@pytest.mark.parametrize("first", PAUSES)
async def test_the_next_handler_is_called_whatever_the_one_before_awaited(
    first: Any, second: Any
) -> None:
    received: list[Any] = []

    async def receive(agent: Doing, message: Any, ctx: Any) -> Any:
        received.append(message)
        return message

    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(elsewhere())
        one, two = Pausing("1", lambda: first(other)), Pausing("2", lambda: second(other))
        runtime, recipient = await stack.enter_async_context(running(one, two, act=receive))
        responses = await asyncio.gather(
            *(runtime.send_message(f"x{number}:", recipient) for number in range(3))
        )
        await runtime.publish_message("y:", TopicId("news", "default"))
    assert responses == [f"x{number}:1212" for number in range(3)]
    assert sorted(received) == ["x0:12", "x1:12", "x2:12", "y:12"]
    assert all(before is after for before, after in one.tasks + two.tasks)
    assert len(one.tasks) == len(two.tasks) == 7


async def test_a_method_that_yields_lets_the_event_loop_have_an_iteration() -> None:
    iterations = Iterations()
    seen: list[int] = []

    async def pause() -> None:
        seen.extend([await iterations.of_a_yield() for _ in range(3)])

    async with running(Pausing("", pause)) as (runtime, recipient):
        await runtime.send_message("x", recipient)
    iterations.stop()
    assert seen == [1] * 6


@pytest.mark.parametrize("method", METHODS)
async def test_a_method_that_yields_forever_is_no_obstacle_to_others(method: str) -> None:
    """The event loop goes round meanwhile, and the method can be cancelled."""
    tasks: list[Any] = []

    async def spin(self: Any, message: Any, **how: Any) -> Any:
        tasks.append(asyncio.current_task())
        while True:  # noqa: ASYNC110 - it is to yield, not to wait
            await asyncio.sleep(0)

    handler = type("Spinning", (DefaultInterventionHandler,), {method: spin})()
    async with running(handler) as (runtime, recipient):
        if method == "on_publish":
            sent = asyncio.create_task(runtime.publish_message("x", TopicId("news", "default")))
        else:
            sent = asyncio.create_task(runtime.send_message("x", recipient))
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(tasks) == 1
        assert tasks[0] in asyncio.all_tasks()
        assert tasks[0].get_coro() is not None
        assert "spin" in repr(tasks[0])
        tasks[0].cancel()
        if method == "on_publish":
            await sent
        else:
            with pytest.raises(asyncio.CancelledError):
                await sent


@pytest.mark.parametrize("pause", [yield_once, await_timer], ids=["yields", "waits"])
async def test_a_cancelled_method_may_go_on(pause: Any) -> None:
    caught: list[Any] = []

    async def interrupted() -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_soon(task.cancel, "enough")
        try:
            while True:
                await pause(None)
        except asyncio.CancelledError as error:
            caught.append(error.args)
            await pause(None)

    async with running(Pausing("!", interrupted), Pausing("?", lambda: pause(None))) as (
        runtime,
        recipient,
    ):
        assert await runtime.send_message("x", recipient) == "x!?!?"
    assert caught == [("enough",), ("enough",)]


@pytest.mark.parametrize("pause", [yield_once, await_timer], ids=["yields", "waits"])
@pytest.mark.parametrize("method", METHODS)
async def test_an_error_after_a_pause_is_the_senders(method: str, pause: Any) -> None:
    async def fail(self: Any, message: Any, **how: Any) -> Any:
        await pause(None)
        raise LookupError(message)

    handler = type("Failing", (DefaultInterventionHandler,), {method: fail})()
    async with running(handler) as (runtime, recipient):
        if method == "on_publish":
            await runtime.publish_message("x", TopicId("news", "default"))
            assert await runtime.send_message("y", recipient) == "y"
        else:
            for _ in range(2):
                with pytest.raises(LookupError, match="x"):
                    await runtime.send_message("x", recipient)


async def yield_often(elsewhere: Elsewhere) -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@asynccontextmanager
async def suspended(
    pause: Any, act: Any
) -> AsyncIterator[tuple[SingleThreadedAgentRuntime, asyncio.Task[Any]]]:
    """A runtime whose intervention handler has a message in its hands."""
    begun = asyncio.Event()

    async def begin() -> None:
        begun.set()
        await pause(None)

    runtime = SingleThreadedAgentRuntime(intervention_handlers=[Pausing("!", begin)])
    recipient = (await register(runtime, "one", act))()
    runtime.start()
    sent = asyncio.create_task(runtime.send_message("x", recipient))
    await begun.wait()
    yield runtime, sent
    await runtime.close()


@pytest.mark.parametrize("pause", [yield_often, await_timer], ids=["yields", "waits"])
async def test_a_message_in_the_hands_of_a_method_is_handled_during_a_stop(pause: Any) -> None:
    async with suspended(pause, echo) as (runtime, sent):
        await runtime.stop()
        assert await sent == "x!!"


@pytest.mark.parametrize("pause", [yield_often, await_timer], ids=["yields", "waits"])
async def test_closing_cancels_a_method_that_is_suspended(pause: Any) -> None:
    async with suspended(pause, boom) as (runtime, sent):
        await runtime.close()
        with pytest.raises(asyncio.CancelledError):
            await sent


async def test_variables_that_a_method_sets_are_there_for_the_next_one() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="")

    async def set_it() -> None:
        await asyncio.sleep(0)
        variable.set("set")
        await asyncio.sleep(0)
        assert variable.get() == "set"

    async def read_it() -> None:
        seen.append(variable.get())

    seen: list[str] = []
    async with running(Pausing("", set_it), Pausing("", read_it)) as (runtime, recipient):
        await runtime.send_message("x", recipient)
        assert seen == ["set", "set"]
    assert variable.get() == ""


async def test_messages_behind_a_method_that_yields_keep_their_order() -> None:
    received: list[int] = []

    async def receive(agent: Doing, message: Any, ctx: Any) -> Any:
        received.append(int(message))
        return message

    async with running(Pausing("", lambda: asyncio.sleep(0)), act=receive) as (runtime, _):
        for number in range(50):
            await runtime.publish_message(str(number), TopicId("news", "default"))
    assert received == list(range(50))
