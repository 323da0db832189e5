"""The agent table: registering, building and passivating agents."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentInstantiationContext,
    AgentOptions,
    AgentType,
    SingleThreadedAgentRuntime,
)
from ferrogen.exceptions import AgentNotFoundError

from .world import Doing, Gate, echo, register

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
    with pytest.raises(RuntimeError, match="only registered instances, and a/2 is none of them"):
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
    assert "could not build agent a/1" in caplog.text


class Clock:
    """Stands in for the waiting of the event loop: time passes when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.timers: list[tuple[float, Any, Any]] = []
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "call_later", self.call_later, raising=True)

    def call_later(self, seconds: float, callback: Any, *arguments: Any) -> Any:
        timer = asyncio.TimerHandle(seconds, callback, arguments, asyncio.get_running_loop())
        self.timers.append((seconds, timer, (callback, arguments)))
        return timer

    async def ring(self) -> None:
        """Let all the time pass that is waited for now."""
        timers, self.timers = self.timers, []
        for _, timer, (callback, arguments) in timers:
            if not timer.cancelled():
                callback(*arguments)
        for _ in range(3):
            await asyncio.sleep(0)


async def test_an_idle_agent_is_closed_forgotten_and_made_anew(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    a = await register(runtime, "a")
    runtime.set_agent_options("a", AgentOptions(passivate_after=60))
    await runtime.send_message("x", a())
    first = await runtime.try_get_underlying_agent_instance(a(), Doing)
    await clock.ring()
    assert first.closed == 1
    assert runtime._dispatcher.instance(a()) is None
    assert await runtime.send_message("y", a()) == "y"
    assert await runtime.try_get_underlying_agent_instance(a(), Doing) is not first


async def test_a_busy_agent_is_not_passivated_until_it_has_done_its_work(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    gate = Gate()
    a = await register(runtime, "a", gate)
    runtime.set_agent_options("a", AgentOptions(passivate_after=60))
    asking = asyncio.ensure_future(runtime.send_message("x", a()))
    await gate.arrived.get()
    await clock.ring()
    agent = await runtime.try_get_underlying_agent_instance(a(), Doing)
    assert agent.closed == 0
    gate.open.set()
    assert await asking == "x"
    await clock.ring()
    assert agent.closed == 1


async def test_each_message_begins_the_waiting_anew(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    a = await register(runtime, "a")
    runtime.set_agent_options("a", AgentOptions(passivate_after=60))
    for _ in range(10):
        await runtime.send_message("x", a())
    assert [seconds for seconds, timer, _ in clock.timers if not timer.cancelled()] == [60]


async def test_instances_are_never_passivated(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    await runtime.register_agent_instance(Doing(echo), AgentId("a", "1"))
    runtime.set_agent_options("a", AgentOptions(passivate_after=60))
    await runtime.send_message("x", AgentId("a", "1"))
    assert clock.timers == []


async def test_an_agent_that_cannot_close_is_logged_and_gone(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    class Stuck(Doing):
        async def close(self) -> None:
            raise OSError("stuck")

    clock = Clock(monkeypatch)
    await runtime.register_factory("a", lambda: Stuck(echo))
    runtime.set_agent_options("a", AgentOptions(passivate_after=60))
    await runtime.send_message("x", AgentId("a", "1"))
    with caplog.at_level(logging.ERROR):
        await clock.ring()
    assert "closing passivated agent a/1 failed" in caplog.text
    assert runtime._dispatcher.instance(AgentId("a", "1")) is None


async def test_a_closed_runtime_waits_for_no_passivation(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    a = await register(runtime, "a")
    runtime.set_agent_options("a", AgentOptions(passivate_after=60))
    await runtime.send_message("x", a())
    await runtime.close()
    assert all(timer.cancelled() for _, timer, _ in clock.timers)


async def test_a_runtime_that_starts_again_counts_its_agents_idle_seconds_anew(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be on another loop by then, and the timers of the former one never ring."""
    clock = Clock(monkeypatch)
    a = await register(runtime, "a")
    runtime.set_agent_options("a", AgentOptions(passivate_after=60))
    await runtime.send_message("x", a())
    await runtime.stop()
    former, clock.timers = clock.timers, []
    runtime.start()
    assert [timer.cancelled() for _, timer, _ in former].count(False) == 0
    await clock.ring()
    assert runtime._dispatcher.instance(a()) is None
