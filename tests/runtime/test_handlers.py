"""Deliveries: handlers and factories in tasks of their own, one build for each id."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextvars import ContextVar
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentInstantiationContext,
    AgentOptions,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)

from .function_agents import Doing, Gate, boom, echo, is_idle, register, tally, until

Runtime = SingleThreadedAgentRuntime


async def test_messages_that_come_during_a_build_wait_for_the_one_agent(runtime: Runtime) -> None:
    """A1."""
    built: list[AgentId] = []
    ready = asyncio.Event()

    async def make() -> Doing:
        built.append(AgentInstantiationContext.current_agent_id())
        await ready.wait()
        return Doing(echo)

    await runtime.register_factory("slow", make)
    slow = AgentId("slow", "1")
    asking = [asyncio.ensure_future(runtime.send_message(n, slow)) for n in range(5)]
    looking = asyncio.ensure_future(runtime.try_get_underlying_agent_instance(slow))
    await until(lambda: built)
    ready.set()
    assert await asyncio.gather(*asking) == [0, 1, 2, 3, 4]
    assert await looking is runtime._engine.instance(slow)
    assert built == [slow]


async def test_a_failed_build_fails_all_waiters_and_the_next_message_retries(
    runtime: Runtime,
) -> None:
    attempts = 0
    go_on = asyncio.Event()

    async def make() -> Doing:
        nonlocal attempts
        attempts += 1
        await go_on.wait()
        if attempts == 1:
            raise OSError("not yet")
        return Doing(echo)

    await runtime.register_factory("slow", make)
    slow = AgentId("slow", "1")
    asking = [asyncio.ensure_future(runtime.send_message(n, slow)) for n in range(3)]
    for _ in range(10):
        await asyncio.sleep(0)
    go_on.set()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert [repr(one) for one in outcomes] == [repr(OSError("not yet"))] * 3
    assert await runtime.send_message("x", slow) == "x"
    assert attempts == 2


async def test_giving_up_on_a_build_leaves_it_to_the_others(runtime: Runtime) -> None:
    ready = asyncio.Event()
    begun = asyncio.Event()

    async def make() -> Doing:
        begun.set()
        await ready.wait()
        return Doing(echo)

    await runtime.register_factory("slow", make)
    slow = AgentId("slow", "1")
    impatient = asyncio.ensure_future(runtime.get(slow, lazy=False))
    patient = asyncio.ensure_future(runtime.agent_metadata(slow))
    await begun.wait()
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    ready.set()
    assert (await patient)["key"] == "1"


async def test_handlers_of_one_agent_run_at_the_same_time_by_default(runtime: Runtime) -> None:
    gate = Gate()
    a = await register(runtime, "a", gate)
    asking = [asyncio.ensure_future(runtime.send_message(n, a())) for n in range(3)]
    assert [await gate.arrived.get() for _ in asking] == [0, 1, 2]
    gate.open.set()
    assert await asyncio.gather(*asking) == [0, 1, 2]


async def test_a_sequential_agent_handles_one_message_after_the_other(runtime: Runtime) -> None:
    """A7: read, wait and write lose nothing."""

    async def increment(agent: Doing, message: Any, ctx: Any) -> None:
        number = agent.number
        await asyncio.sleep(0)
        agent.number = number + 1

    a = await register(runtime, "a", increment)
    runtime.set_agent_options("a", AgentOptions(concurrency=1))
    await asyncio.gather(*(runtime.send_message(None, a()) for _ in range(100)))
    assert (await runtime.try_get_underlying_agent_instance(a(), Doing)).number == 100


async def test_no_handler_sees_the_context_variables_of_another(runtime: Runtime) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="unset")

    async def note(agent: Doing, message: Any, ctx: Any) -> str:
        before = variable.get()
        variable.set(message)
        return before

    a = await register(runtime, "a", note)
    assert await runtime.send_message("one", a()) == "unset"
    assert await runtime.send_message("two", a()) == "unset"
    assert variable.get() == "unset"


async def test_the_handlers_error_is_the_senders_own(runtime: Runtime) -> None:
    a = await register(runtime, "a", boom)
    with pytest.raises(KeyError, match="x") as caught:
        await runtime.send_message("x", a())
    assert caught.traceback[-1].name == "boom"
    assert await runtime.send_message("y", (await register(runtime, "b"))()) == "y"


async def test_idle_waits_for_the_slow_sibling_of_a_handler_that_raised() -> None:
    """A5."""
    runtime = SingleThreadedAgentRuntime()
    gate = Gate()
    await register(runtime, "slow", gate)
    await register(runtime, "broken", boom)
    for name in ("slow", "broken"):
        await runtime.add_subscription(TypeSubscription("news", name))
    runtime.start()
    await runtime.publish_message("x", TopicId("news", "default"))
    stopping = asyncio.ensure_future(runtime.stop_when_idle())
    await gate.arrived.get()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not stopping.done()
    gate.open.set()
    await stopping


async def test_closing_cancels_running_handlers_and_notifies_their_senders(
    runtime: Runtime,
) -> None:
    gate = Gate()
    a = await register(runtime, "a", gate)
    asking = asyncio.ensure_future(runtime.send_message("x", a()))
    await gate.arrived.get()
    await runtime.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert is_idle(runtime)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_task_that_only_the_runtime_references_is_not_collected(runtime: Runtime) -> None:
    awaited: list[weakref.ref[asyncio.Future[None]]] = []

    async def wait(agent: Doing, message: Any, ctx: Any) -> None:
        future = asyncio.get_running_loop().create_future()
        awaited.append(weakref.ref(future))
        await future

    await register(runtime, "a", wait)
    await runtime.add_subscription(TypeSubscription("news", "a"))
    await runtime.publish_message("x", TopicId("news", "default"))
    await until(lambda: awaited)
    for _ in range(3):
        await asyncio.sleep(0)
    gc.collect()
    future = awaited[0]()
    assert future is not None
    future.set_result(None)
    await runtime.stop_when_idle()
    assert tally(runtime)["handled"] == 1


@pytest.mark.parametrize("spread", [1, 3])
async def test_a_message_cancelled_before_it_starts_is_settled(spread: int) -> None:
    runtime = SingleThreadedAgentRuntime(task_mode=True)
    begun: list[Any] = []

    async def note(agent: Doing, message: Any, ctx: Any) -> None:
        begun.append(message)

    def create(loop: Any, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coroutine, loop=loop, **options)
        task.cancel()
        return task

    a = await register(runtime, "a", note)
    await runtime.get(a(), lazy=False)
    runtime.start()
    asked = [asyncio.ensure_future(runtime.send_message(n, a())) for n in range(spread)]
    await asyncio.sleep(0)
    asyncio.get_running_loop().set_task_factory(create)
    await until(lambda: is_idle(runtime))
    asyncio.get_running_loop().set_task_factory(None)
    await runtime.close()
    assert begun == []
    assert is_idle(runtime)
    assert all(isinstance(end, asyncio.CancelledError) for end in await gathered(asked))


async def test_a_build_that_is_cancelled_before_it_begins_fails_its_waiters() -> None:
    runtime = SingleThreadedAgentRuntime()
    a = await register(runtime, "a", boom)
    waiting = asyncio.ensure_future(runtime.get(a(), lazy=False))
    await asyncio.sleep(0)
    (build,) = asyncio.all_tasks() - {waiting, asyncio.current_task()}
    build.cancel()
    (end,) = await gathered([waiting])
    assert isinstance(end, asyncio.CancelledError)
    assert await runtime.get(a(), lazy=False) == a()
    await runtime.close()


async def gathered(futures: list[asyncio.Future[Any]]) -> list[Any]:
    """How each of them ended: its result or its error."""
    return await asyncio.gather(*futures, return_exceptions=True)
