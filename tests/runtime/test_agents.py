"""Registering, building and passivating agents."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentInstantiationContext,
    AgentOptions,
    AgentType,
    DefaultInterventionHandler,
    SingleThreadedAgentRuntime,
)
from ferrogen.exceptions import AgentNotFoundError

from .function_agents import Doing, Gate, echo, instances, register

Runtime = SingleThreadedAgentRuntime


async def test_a_type_is_registered_once(runtime: Runtime) -> None:
    assert await runtime.register_factory("a", lambda: Doing(echo)) == AgentType("a")
    with pytest.raises(ValueError, match=r"Agent with type .* already exists"):
        await runtime.register_factory(AgentType("a"), lambda: Doing(echo))


@pytest.mark.parametrize("bad", ["", "two words", "a/b", "a\n", "\ud800"])
async def test_a_type_must_be_a_possible_one(runtime: Runtime, bad: str) -> None:
    with pytest.raises(ValueError, match=r"Invalid agent type|surrogates"):
        await runtime.register_factory(bad, lambda: Doing(echo))
    assert not runtime._agents.is_registered(bad)


async def test_a_factory_knows_for_what_it_builds(runtime: Runtime) -> None:
    seen: list[Any] = []

    def make() -> Doing:
        seen.append(AgentInstantiationContext.current_agent_id())
        seen.append(AgentInstantiationContext.current_runtime())
        return Doing(echo)

    await runtime.register_factory("a", make)
    await runtime.send_message("x", AgentId("a", "1"))
    assert seen == [AgentId("a", "1"), runtime]


async def test_a_factory_that_fails_after_its_caller_has_left(runtime: Runtime) -> None:
    """Since Python 3.14, `asyncio.shield` would report the error to the event loop."""
    begun, gate = asyncio.Event(), asyncio.Event()

    async def make() -> Doing:
        begun.set()
        await gate.wait()
        raise LookupError

    reports: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    await runtime.register_factory("a", make)
    obtaining = asyncio.create_task(runtime.agent_metadata(AgentId("a", "k")))
    await begun.wait()
    sending = asyncio.ensure_future(runtime.send_message("x", AgentId("a", "k")))
    obtaining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await obtaining
    gate.set()
    with pytest.raises(LookupError):
        await sending
    await asyncio.sleep(0)
    assert reports == []


async def test_a_factory_that_makes_another_class_fails_its_message(runtime: Runtime) -> None:
    class Other(Doing):
        pass

    await runtime.register_factory("a", lambda: Doing(echo), expected_class=Other)
    with pytest.raises(ValueError, match="wrong type: expected Other, got Doing"):
        await runtime.send_message("x", AgentId("a", "1"))


async def test_instances_keep_their_ids_and_their_class(runtime: Runtime) -> None:
    class Other(Doing):
        pass

    one = Doing(echo)
    assert await runtime.register_agent_instance(one, AgentId("a", "1")) == AgentId("a", "1")
    with pytest.raises(ValueError, match="Agent with id a/1 already exists"):
        await runtime.register_agent_instance(Doing(echo), AgentId("a", "1"))
    with pytest.raises(ValueError, match="same object type"):
        await runtime.register_agent_instance(Other(echo), AgentId("a", "2"))
    await runtime.register_agent_instance(Doing(echo), AgentId("a", "2"))
    await runtime.register_factory("b", lambda: Doing(echo))
    with pytest.raises(ValueError, match="cannot be registered to the same type"):
        await runtime.register_agent_instance(Doing(echo), AgentId("b", "1"))
    assert await runtime.try_get_underlying_agent_instance(AgentId("a", "1"), Doing) is one


async def test_an_instance_type_has_no_other_agents_and_says_so(runtime: Runtime) -> None:
    await runtime.register_agent_instance(Doing(echo), AgentId("a", "1"))
    with pytest.raises(RuntimeError, match="only registered instances, and a/2 is not one of them"):
        await runtime.send_message("x", AgentId("a", "2"))


async def test_what_is_not_registered_is_not_found(runtime: Runtime) -> None:
    with pytest.raises(AgentNotFoundError, match="Agent with name a not found"):
        await runtime.get("a", lazy=False)
    with pytest.raises(LookupError):
        await runtime.agent_metadata(AgentId("a", "1"))


async def test_a_build_that_fails_is_logged(runtime: Runtime, caplog: Any) -> None:
    def make() -> Doing:
        raise OSError("no disk")

    await runtime.register_factory("a", make)
    with caplog.at_level(logging.ERROR), pytest.raises(OSError, match="no disk"):
        await runtime.send_message("x", AgentId("a", "1"))
    assert "Error constructing agent a/1" in caplog.text


class Clock:
    """The clock of the running event loop, which a test can put forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self.ahead, real = 0.0, loop.time
        monkeypatch.setattr(loop, "time", lambda: real() + self.ahead)

    async def advance(self, seconds: float) -> None:
        """Let this time pass, and the timers fire that are due."""
        self.ahead += seconds
        for _ in range(6):
            await asyncio.sleep(0)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def test_an_idle_agent_is_closed_removed_and_built_anew(
    runtime: Runtime, clock: Clock
) -> None:
    a = await register(runtime, "a")
    runtime.set_agent_options("a", AgentOptions(passivate_after=60))
    await runtime.send_message("x", a())
    first = await runtime.try_get_underlying_agent_instance(a(), Doing)
    await clock.advance(61)
    assert first.closed == 1
    assert instances(runtime) == []
    assert await runtime.send_message("y", a()) == "y"
    assert await runtime.try_get_underlying_agent_instance(a(), Doing) is not first


async def test_an_agent_that_was_only_built_is_passivated_too(
    runtime: Runtime, clock: Clock
) -> None:
    a = await register(runtime, "a")
    runtime.set_agent_options("a", AgentOptions(passivate_after=60))
    agent = await runtime.try_get_underlying_agent_instance(a(), Doing)
    await clock.advance(61)
    assert agent.closed == 1
    assert instances(runtime) == []


async def test_a_busy_agent_is_passivated_only_after_its_handler_has_ended(
    runtime: Runtime, clock: Clock
) -> None:
    gate = Gate()
    a = await register(runtime, "a", gate)
    runtime.set_agent_options("a", AgentOptions(passivate_after=60))
    asking = asyncio.ensure_future(runtime.send_message("x", a()))
    await gate.arrived.get()
    await clock.advance(61)
    agent = await runtime.try_get_underlying_agent_instance(a(), Doing)
    assert agent.closed == 0
    gate.open.set()
    assert await asking == "x"
    await clock.advance(59)
    assert agent.closed == 0
    await clock.advance(2)
    assert agent.closed == 1


async def test_an_agent_with_a_queued_message_is_not_passivated(
    runtime: Runtime, clock: Clock
) -> None:
    gate = Gate()
    a = await register(runtime, "a", gate)
    runtime.set_agent_options("a", AgentOptions(concurrency=1, passivate_after=60))
    asking = [asyncio.ensure_future(runtime.send_message(n, a())) for n in range(3)]
    await gate.arrived.get()
    agent = await runtime.try_get_underlying_agent_instance(a(), Doing)
    await clock.advance(120)
    gate.open.set()
    assert await asyncio.gather(*asking) == [0, 1, 2]
    assert agent.closed == 0
    assert instances(runtime) == [str(a())]


async def test_each_message_restarts_the_idle_time(runtime: Runtime, clock: Clock) -> None:
    a = await register(runtime, "a")
    runtime.set_agent_options("a", AgentOptions(passivate_after=60))
    agent = await runtime.try_get_underlying_agent_instance(a(), Doing)
    for _ in range(5):
        await runtime.send_message("x", a())
        await clock.advance(40)
        assert agent.closed == 0
    await clock.advance(21)
    assert agent.closed == 1


async def test_a_registered_instance_is_never_passivated(runtime: Runtime, clock: Clock) -> None:
    agent = Doing(echo)
    await runtime.register_agent_instance(agent, AgentId("a", "1"))
    runtime.set_agent_options("a", AgentOptions(passivate_after=60))
    await runtime.send_message("x", AgentId("a", "1"))
    await clock.advance(61)
    assert agent.closed == 0
    assert await runtime.try_get_underlying_agent_instance(AgentId("a", "1")) is agent


async def test_an_agent_that_cannot_close_is_logged_and_removed(
    runtime: Runtime, clock: Clock, caplog: Any
) -> None:
    class Stuck(Doing):
        async def close(self) -> None:
            raise OSError("stuck")

    await runtime.register_factory("a", lambda: Stuck(echo))
    runtime.set_agent_options("a", AgentOptions(passivate_after=60))
    await runtime.send_message("x", AgentId("a", "1"))
    with caplog.at_level(logging.ERROR):
        await clock.advance(61)
    assert "closing agent a/1 failed" in caplog.text
    assert instances(runtime) == []


async def test_the_agents_of_a_closed_runtime_are_not_passivated(clock: Clock) -> None:
    runtime = SingleThreadedAgentRuntime()
    a = await register(runtime, "a")
    runtime.set_agent_options("a", AgentOptions(passivate_after=60))
    runtime.start()
    await runtime.send_message("x", a())
    agent = await runtime.try_get_underlying_agent_instance(a(), Doing)
    await runtime.close()
    await clock.advance(61)
    assert agent.closed == 1
    gone = weakref.ref(runtime)
    del runtime, agent
    gc.collect()
    assert gone() is None  # no timer refers to it


async def test_the_idle_time_of_agents_continues_after_a_restart(
    runtime: Runtime, clock: Clock
) -> None:
    a = await register(runtime, "a")
    runtime.set_agent_options("a", AgentOptions(passivate_after=60))
    await runtime.send_message("x", a())
    await clock.advance(40)
    await runtime.stop()
    runtime.start()
    await clock.advance(19)
    assert instances(runtime) == [str(a())]
    await clock.advance(2)
    assert instances(runtime) == []


def test_the_idle_time_of_agents_starts_anew_on_another_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime = SingleThreadedAgentRuntime()

    async def first() -> None:
        a = await register(runtime, "a")
        runtime.set_agent_options("a", AgentOptions(passivate_after=60))
        runtime.start()
        await runtime.send_message("x", a())
        await runtime.stop_when_idle()

    async def second() -> None:
        clock = Clock(monkeypatch)
        clock.ahead = 40.0
        runtime.start()
        await clock.advance(59)
        assert len(instances(runtime)) == 1
        await clock.advance(2)
        assert instances(runtime) == []
        await runtime.stop_when_idle()

    asyncio.run(first())
    assert len(instances(runtime)) == 1
    asyncio.run(second())


@pytest.mark.parametrize("iterations", range(6))
async def test_an_agent_that_a_message_is_about_to_build_can_be_obtained(iterations: int) -> None:
    async def factory() -> Doing:
        await asyncio.sleep(0)
        return Doing(echo)

    class Suspending(DefaultInterventionHandler):
        async def on_send(self, message: Any, *, message_context: Any, recipient: Any) -> Any:
            await asyncio.sleep(0)
            return message

    runtime = Runtime(intervention_handlers=[Suspending()])
    await runtime.register_factory("late", factory)
    runtime.start()
    sending = asyncio.create_task(runtime.send_message("x", AgentId("late", "1")))
    for _ in range(iterations):
        await asyncio.sleep(0)
    assert await runtime.get("late", "1", lazy=False) == AgentId("late", "1")
    assert await sending == "x"
    assert instances(runtime) == ["late/1"]
    await runtime.close()
