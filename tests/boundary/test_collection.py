"""Garbage: every cycle through the extension is collected, and nothing is kept.

A cycle can only be freed if the classes in it show the collector all that they refer to.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    MessageContext,
    SingleThreadedAgentRuntime,
    Subscription,
    TopicId,
    TypeSubscription,
)
from ferrogen._core import Engine, Routes

from .engines import WRITER, Agent, Host, NamedThing, Thing, make_engine, open_engine, outcome_of

VARIABLE: ContextVar[Any] = ContextVar("VARIABLE")


# Where an engine refers to an object that refers to the engine.


def on_its_host(engine: Engine, thing: Thing) -> None:
    engine_host(engine).holds = thing


def engine_host(engine: Engine) -> Host:
    (host,) = [one for one in gc.get_referents(engine) if isinstance(one, Host)]
    return host


def as_an_agent(engine: Engine, thing: Thing) -> None:
    engine.enter(WRITER, thing)  # type: ignore[arg-type]


def on_the_id_of_an_agent(engine: Engine, thing: Thing) -> None:
    agent_id = NamedThing("writer", "1")
    agent_id.holds = thing
    engine.build(agent_id)


def in_the_context_of_handlers(engine: Engine, thing: Thing) -> None:
    context = copy_context()
    context.run(VARIABLE.set, thing)
    engine.bind(asyncio.get_running_loop(), context)


def in_a_queued_message(engine: Engine, thing: Thing) -> None:
    start(engine.publish_message(thing, TopicId("t", "1")))
    assert engine.waiting == 1


def as_the_sender_of_a_queued_message(engine: Engine, thing: Thing) -> None:
    sender = NamedThing("writer", "1")
    sender.holds = thing
    start(engine.publish_message("x", TopicId("t", "1"), sender=sender))
    assert engine.waiting == 1


def in_a_message_that_waits_for_its_agent(engine: Engine, thing: Thing) -> None:
    engine.build(WRITER)
    kept.append(engine.send_message(thing, WRITER))
    start(kept[-1])


def in_a_send_that_was_not_awaited(engine: Engine, thing: Thing) -> None:
    thing.send = engine.send_message(thing, WRITER)  # type: ignore[attr-defined]


kept: list[Any] = []


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    kept.clear()


def start(awaitable: Any) -> None:
    with suppress(StopIteration):
        awaitable.send(None)


PLACES = [
    on_its_host,
    as_an_agent,
    on_the_id_of_an_agent,
    in_the_context_of_handlers,
    in_a_queued_message,
    as_the_sender_of_a_queued_message,
]


NEVER_AWAITED = pytest.mark.filterwarnings("ignore:.*never awaited:RuntimeWarning")


@pytest.mark.parametrize(
    "put", [*PLACES, pytest.param(in_a_send_that_was_not_awaited, marks=NEVER_AWAITED)]
)
async def test_a_cycle_through_an_engine_is_collected(put: Callable[..., None]) -> None:
    engine = make_engine()
    thing = Thing(engine=engine)
    put(engine, thing)
    gone = weakref.ref(engine), weakref.ref(thing)
    del engine, thing
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


@pytest.mark.parametrize("put", PLACES)
async def test_an_engine_outside_any_cycle_frees_what_it_holds_at_once(
    put: Callable[..., None],
) -> None:
    gc.collect()
    gc.disable()
    try:
        engine, thing = make_engine(), Thing()
        put(engine, thing)
        gone = weakref.ref(thing)
        del engine, thing
        assert gone() is None
    finally:
        gc.enable()


async def test_a_send_that_waits_for_its_agent_is_collected_with_its_engine() -> None:
    engine = make_engine()
    thing = Thing(engine=engine)
    in_a_message_that_waits_for_its_agent(engine, thing)
    thing.send = kept.pop()  # type: ignore[attr-defined]
    gone = weakref.ref(engine), weakref.ref(thing)
    del engine, thing
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


@pytest.mark.parametrize("task_mode", [False, True])
def test_an_engine_with_suspended_handlers_is_collected_after_its_loop(task_mode: bool) -> None:
    gone: list[weakref.ref[Any]] = []

    class Suspending(Agent):
        async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
            self.holds = asyncio.current_task(), ctx, message
            if message.other is not None:
                await self.send_message(message.other, AgentId("b", "1"))
            await asyncio.Event().wait()

    async def main() -> None:
        runtime = SingleThreadedAgentRuntime(task_mode=task_mode)
        for name in "ab":
            agent = Suspending()
            await runtime.register_agent_instance(agent, AgentId(name, "1"))
            gone.append(weakref.ref(agent))
        await runtime.add_subscription(TypeSubscription("t", "b"))
        runtime.start()
        inner = Thing(runtime=runtime, other=None)
        outer = Thing(runtime=runtime, other=inner)
        gone.extend(weakref.ref(one) for one in (runtime, inner, outer))
        asking = asyncio.ensure_future(runtime.send_message(outer, AgentId("a", "1")))
        await runtime.publish_message(inner, TopicId("t", "1"))
        await asyncio.sleep(0.001)
        outer.asking = asking  # type: ignore[attr-defined]

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # "Task was destroyed but it is pending!"
    loop.run_until_complete(main())
    loop.close()
    del loop
    gc.collect()
    gc.collect()
    assert [reference() for reference in gone] == [None] * 5


# Routes.


class Listening(Subscription):
    """A custom subscription that can refer to anything."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.holds: Any = None

    @property
    def id(self) -> str:
        return self.name

    def is_match(self, topic_id: TopicId) -> bool:
        return True

    def map_to_agent(self, topic_id: TopicId) -> AgentId:
        return WRITER


def test_a_cycle_through_the_routes_is_collected() -> None:
    routes, subscription = Routes(), Listening("1")
    subscription.holds = routes
    routes.add(subscription)
    gone = weakref.ref(subscription)
    del routes, subscription
    gc.collect()
    assert gone() is None


# References.


async def test_calls_leave_no_reference() -> None:
    agent, subscription, message = Agent(), Listening("1"), Thing()
    agent_id, topic, error = AgentId("writer", "key of its own"), TopicId("a", "1"), OSError("no")
    observed: list[Any] = [agent, subscription, message, agent_id, topic, error, agent_id.key]
    await agent.bind_id_and_runtime(id=agent_id, runtime=None)  # type: ignore[arg-type]
    host, routes = Host(), Routes()
    engine = open_engine(host)

    async def once(number: int) -> None:
        routes.add(subscription)
        with pytest.raises(ValueError, match="exists"):
            routes.add(subscription)
        routes.recipients(topic)
        routes.remove(subscription.id)
        key = AgentId("writer", f"{number}")
        engine.build(key)
        waiting = asyncio.ensure_future(outcome_of(engine.send_message(message, key)))
        for _ in range(4):  # until it is in the mailbox
            await asyncio.sleep(0)
        engine.build_failed(key, error)
        assert await waiting is error
        error.__traceback__ = error.__context__ = None
        engine.build(key)
        with pytest.raises(RuntimeError):
            engine.build(key)
        engine.build_failed(key, error)
        with pytest.raises(RuntimeError):
            engine.built(key, agent)
        assert engine.instance(agent_id) is agent
        assert len(engine.instances()) == 1
        assert await engine.send_message(message, agent_id) is message
        await engine.publish_message(message, topic)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    engine.enter(agent_id, agent)
    for number in range(3):
        await once(number)
    host.calls.clear()
    before = [sys.getrefcount(one) for one in observed]
    for number in range(100):
        await once(number)
        host.calls.clear()
    assert engine.idle
    after = [sys.getrefcount(one) for one in observed]
    assert [later - earlier for earlier, later in zip(before, after, strict=True)] == [0] * 7
    engine.shut()


def test_an_engine_forgets_all_about_agents_that_were_passivated(run_program: Any) -> None:
    grown = run_program(
        """
        import asyncio
        from ferrogen import AgentId, AgentOptions, BaseAgent, SingleThreadedAgentRuntime

        def resident():
            with open("/proc/self/statm") as numbers:
                return int(numbers.read().split()[1]) * 4096

        class Agent(BaseAgent):
            async def on_message_impl(self, message, ctx):
                return None

        async def main():
            runtime = SingleThreadedAgentRuntime()
            await runtime.register_factory("writer", lambda: Agent("comes and goes"))
            runtime.set_agent_options("writer", AgentOptions(passivate_after=1e-6))
            runtime.start()
            async def come_and_go(count):
                for number in range(count):
                    agent_id = AgentId("writer", f"a-key-of-some-length-{number}")
                    await runtime.send_message(None, agent_id)
                    if number % 100 == 0:
                        while runtime._engine.instances():
                            await asyncio.sleep(0)
            await come_and_go(2000)
            before = resident()
            await come_and_go(30_000)
            print(resident() - before)
            await runtime.stop_when_idle()

        asyncio.run(main())
        """
    )
    assert int(grown) < 1_500_000
