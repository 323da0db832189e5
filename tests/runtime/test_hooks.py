"""Hooks of agents: activated when built, deactivated before they are closed."""

from __future__ import annotations

from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    BaseAgent,
    MessageContext,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)

from .function_agents import instances, until_idle
from .stepped_time import SteppedTime

Runtime = SingleThreadedAgentRuntime
A = AgentId("a", "default")
T = TopicId("t", "default")


class Hooked(BaseAgent):
    """An agent that records what is called."""

    def __init__(self, calls: list[str], error: Exception | None = None) -> None:
        super().__init__("records")
        self.calls = calls
        self.error = error
        calls.append("built")

    async def on_activate(self) -> None:
        self.calls.append(f"activated {self.id}")
        if self.error is not None:
            raise self.error

    async def on_deactivate(self) -> None:
        self.calls.append("deactivated")
        if self.error is not None:
            raise self.error

    async def close(self) -> None:
        self.calls.append("closed")

    async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
        self.calls.append(message)
        return message


async def hooked(runtime: Runtime, error: Exception | None = None) -> list[str]:
    calls: list[str] = []
    await Hooked.register(runtime, "a", lambda: Hooked(calls, error))
    await runtime.add_subscription(TypeSubscription("t", "a"))
    return calls


async def send(runtime: Runtime) -> None:
    assert await runtime.send_message("x", A) == "x"


async def publish(runtime: Runtime) -> None:
    await runtime.publish_message("x", T)
    await until_idle(runtime)


@pytest.mark.parametrize("use", [send, publish])
async def test_an_agent_is_activated_before_its_first_message(runtime: Runtime, use: Any) -> None:
    calls = await hooked(runtime)
    await use(runtime)
    await use(runtime)
    assert calls == ["built", "activated a/default", "x", "x"]


async def test_an_agent_with_an_async_factory_is_activated_once(runtime: Runtime) -> None:
    calls: list[str] = []

    async def make() -> Hooked:
        return Hooked(calls)

    await Hooked.register(runtime, "a", make)
    await send(runtime)
    assert calls == ["built", "activated a/default", "x"]


async def test_an_agent_that_is_built_without_a_message_is_activated(runtime: Runtime) -> None:
    calls = await hooked(runtime)
    await runtime.get(A, lazy=False)
    assert calls == ["built", "activated a/default"]


async def test_a_registered_instance_is_activated(runtime: Runtime) -> None:
    calls: list[str] = []
    await Hooked(calls).register_instance(runtime, A)
    assert calls == ["built", "activated a/default"]


async def test_messages_fail_if_the_activation_fails_and_the_next_one_builds_again(
    runtime: Runtime,
) -> None:
    calls = await hooked(runtime, OSError("no disk"))
    for _ in range(2):
        with pytest.raises(OSError, match="no disk"):
            await runtime.send_message("x", A)
    assert calls == ["built", "activated a/default", "closed"] * 2
    assert instances(runtime) == []


async def test_a_passivated_agent_is_deactivated_before_it_is_closed(
    runtime: Runtime, clock: SteppedTime
) -> None:
    calls = await hooked(runtime)
    runtime.set_agent_options("a", AgentOptions(passivate_after=60))
    await clock.run(runtime.send_message("x", A))
    await clock.advance(61)
    assert calls[2:] == ["x", "deactivated", "closed"]
    await clock.run(runtime.send_message("y", A))
    assert calls[5:] == ["built", "activated a/default", "y"]


async def test_a_runtime_that_closes_deactivates_and_closes_its_agents() -> None:
    runtime = SingleThreadedAgentRuntime()
    calls = await hooked(runtime)
    await runtime.get(A, lazy=False)
    agent = await runtime.try_get_underlying_agent_instance(A, Hooked)
    agent.error = OSError("no disk")
    with pytest.raises(OSError, match="no disk"):
        await runtime.close()
    assert calls[2:] == ["deactivated", "closed"]
