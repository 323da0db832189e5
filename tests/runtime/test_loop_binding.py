"""Loop binding: one event loop at a time, and a clear error about any other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ferrogen import AgentId, SingleThreadedAgentRuntime, TopicId, TypeSubscription
from ferrogen.exceptions import FerrogenError, WrongLoopError
from ferrogen.runtime.lifecycle.event_loop import LoopBinding

from .function_agents import Gate, instances, register, tally, until_idle

Runtime = SingleThreadedAgentRuntime
ELSEWHERE = "is running on another event loop; schedule the call with"
CLOSED = "event loop that this runtime was started on is closed"


def in_another_thread(make: Callable[[], Coroutine[Any, Any, Any]]) -> BaseException | None:
    """Run a coroutine on a new loop in another thread; return its exception."""
    raised: list[BaseException] = []

    async def run() -> None:
        try:
            await make()
        except BaseException as error:  # noqa: BLE001 - the test checks it
            raised.append(error)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    thread.join()
    return raised[0] if raised else None


USES: dict[str, Callable[[Runtime], Coroutine[Any, Any, Any]]] = {
    "send": lambda runtime: runtime.send_message("x", AgentId("a", "1")),
    "publish": lambda runtime: runtime.publish_message("x", TopicId("news", "1")),
    "process_next": lambda runtime: runtime.process_next(),
    "get": lambda runtime: runtime.get("a", lazy=False),
    "metadata": lambda runtime: runtime.agent_metadata(AgentId("a", "1")),
    "load": lambda runtime: runtime.agent_load_state(AgentId("a", "1"), {"number": 1}),
    "stop": lambda runtime: runtime.stop(),
    "stop_when_idle": lambda runtime: runtime.stop_when_idle(),
    "stop_when": lambda runtime: runtime.stop_when(lambda: True),
    "close": lambda runtime: runtime.close(),
}


@pytest.mark.parametrize("name", USES)
async def test_a_started_runtime_cannot_be_used_from_another_threads_loop(
    runtime: Runtime, name: str
) -> None:
    await register(runtime, "a")
    error = in_another_thread(lambda: USES[name](runtime))
    assert isinstance(error, WrongLoopError)
    assert ELSEWHERE in str(error)
    assert tally(runtime)["accepted"] == 0


async def test_it_cannot_be_started_again_from_there_either(runtime: Runtime) -> None:
    async def start() -> None:
        runtime.start()

    assert isinstance(in_another_thread(start), WrongLoopError)


async def test_scheduling_the_call_works_as_the_error_says(runtime: Runtime) -> None:
    a = await register(runtime, "a")
    loop = asyncio.get_running_loop()

    def ask() -> Any:
        return asyncio.run_coroutine_threadsafe(runtime.send_message("x", a()), loop).result()

    assert await asyncio.to_thread(ask) == "x"


@pytest.mark.parametrize("name", USES)
def test_a_runtime_that_was_not_stopped_says_that_its_loop_is_closed(name: str) -> None:
    runtime = SingleThreadedAgentRuntime()

    async def first() -> None:
        await register(runtime, "a")
        runtime.start()

    asyncio.run(first())
    with pytest.raises(WrongLoopError, match=CLOSED):
        asyncio.run(USES[name](runtime))


def test_a_runtime_whose_handler_still_runs_cannot_change_loops() -> None:
    runtime = SingleThreadedAgentRuntime()
    loop = asyncio.new_event_loop()

    async def first() -> tuple[asyncio.Future[Any], Gate]:
        gate = Gate()
        a = await register(runtime, "a", gate)
        runtime.start()
        asking = asyncio.ensure_future(runtime.send_message("x", a()))
        await gate.arrived.get()
        await runtime.stop()
        return asking, gate

    asking, gate = loop.run_until_complete(first())
    with pytest.raises(WrongLoopError, match=ELSEWHERE):
        asyncio.run(runtime.publish_message("x", TopicId("news", "1")))
    gate.open.set()
    assert loop.run_until_complete(asking) == "x"
    loop.close()


def test_an_idle_runtime_may_go_from_loop_to_loop() -> None:
    runtime = SingleThreadedAgentRuntime()

    async def once(number: int) -> None:
        if number == 0:
            await register(runtime, "a")
        runtime.start()
        assert await runtime.send_message(number, AgentId("a", "1")) == number
        await runtime.stop_when_idle()

    for number in range(3):
        asyncio.run(once(number))
    assert len(instances(runtime)) == 1


def test_messages_may_be_processed_manually_on_one_loop_after_another() -> None:
    runtime = SingleThreadedAgentRuntime()
    received: list[Any] = []

    async def once(number: int) -> None:
        if number == 0:

            async def receive(agent: Any, message: Any, ctx: Any) -> None:
                received.append(message)

            await register(runtime, "a", receive)
            await runtime.add_subscription(TypeSubscription("news", "a"))
        waiting = asyncio.ensure_future(runtime.process_next())
        await asyncio.sleep(0)  # it waits for a message, on this loop
        await runtime.publish_message(number, TopicId("news", "1"))
        await waiting
        await until_idle(runtime)

    for number in range(3):
        asyncio.run(once(number))
    assert received == [0, 1, 2]


def test_messages_published_on_one_loop_may_be_handled_on_the_next() -> None:
    runtime = SingleThreadedAgentRuntime()

    async def first() -> None:
        await register(runtime, "a")
        await runtime.add_subscription(TypeSubscription("news", "a"))
        await runtime.publish_message("x", TopicId("news", "1"))

    asyncio.run(first())

    async def later() -> None:
        runtime.start()
        await runtime.stop_when_idle()

    asyncio.run(later())
    assert tally(runtime)["handled"] == 1


def test_without_any_loop_the_error_is_asyncios() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        SingleThreadedAgentRuntime().start()


def test_the_error_is_a_runtime_error_of_ferrogens() -> None:
    assert issubclass(WrongLoopError, RuntimeError)
    assert issubclass(WrongLoopError, FerrogenError)


def test_a_binding_without_work_follows_the_running_loop() -> None:
    binding = LoopBinding()

    async def enter(busy: bool) -> bool:
        return binding.enter(busy=busy) is asyncio.get_running_loop()

    assert asyncio.run(enter(busy=True))
    assert asyncio.run(enter(busy=False))
    with pytest.raises(WrongLoopError):
        asyncio.run(enter(busy=True))
