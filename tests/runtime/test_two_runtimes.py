"""Isolation of two runtimes in one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentInstantiationContext,
    MessageHandlerContext,
    RetryPolicy,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import MessageCancelledError, RecipientNotFoundError

from .function_agents import Doing, Gate, instances, is_idle, register, until

Runtime = SingleThreadedAgentRuntime
NEWS = TopicId("news", "default")


@pytest.fixture
async def other() -> AsyncIterator[Runtime]:
    """Another runtime, started."""
    other = SingleThreadedAgentRuntime()
    other.start()
    yield other
    await other.close()


async def test_agents_and_topics_of_one_are_unknown_to_the_other(
    runtime: Runtime, other: Runtime
) -> None:
    received: list[Any] = []

    async def receive(agent: Doing, message: Any, ctx: Any) -> None:
        received.append((agent.runtime is runtime, message))

    for one in (runtime, other):
        await register(one, "a", receive)
        await one.add_subscription(TypeSubscription("news", "a"))
    await register(other, "only", receive)
    await runtime.publish_message("x", NEWS)
    await other.publish_message("y", NEWS)
    with pytest.raises(RecipientNotFoundError):
        await runtime.send_message("z", AgentId("only", "1"))
    await runtime.stop_when_idle()
    await other.stop_when_idle()
    assert sorted(received) == [(False, "y"), (True, "x")]
    assert (len(runtime.dead_letters), len(other.dead_letters)) == (1, 0)


async def test_one_is_idle_while_the_other_works(runtime: Runtime, other: Runtime) -> None:
    gate = Gate()
    busy = await register(other, "busy", gate)
    asking = asyncio.ensure_future(other.send_message("x", busy()))
    await gate.arrived.get()
    await runtime.stop_when_idle()
    assert not is_idle(other)
    gate.open.set()
    assert await asking == "x"


async def test_contexts_do_not_mix_when_one_calls_the_other(
    runtime: Runtime, other: Runtime
) -> None:
    seen: list[Any] = []

    def make() -> Doing:
        seen.append((AgentInstantiationContext.current_runtime() is other, "built"))
        return Doing(inner)

    async def inner(agent: Doing, message: Any, ctx: Any) -> str:
        seen.append((MessageHandlerContext.agent_id(), ctx.sender))
        return "inner"

    async def outer(agent: Doing, message: Any, ctx: Any) -> Any:
        response = await other.send_message(message, AgentId("inner", "1"))
        seen.append((MessageHandlerContext.agent_id(), ctx.sender))
        assert not AgentInstantiationContext.is_in_factory_call()
        return response

    await other.register_factory("inner", make)
    outside = await register(runtime, "outer", outer)
    assert await runtime.send_message("x", outside()) == "inner"
    assert seen == [(True, "built"), (AgentId("inner", "1"), None), (outside(), None)]


async def test_a_runtime_that_a_handler_starts_does_not_inherit_its_place(
    runtime: Runtime,
) -> None:
    async def start_another(agent: Doing, message: Any, ctx: Any) -> Any:
        inner = SingleThreadedAgentRuntime()
        inside = await register(inner, "inner", who)
        inner.start()
        response = await inner.send_message("x", inside())
        await inner.stop_when_idle()
        return response

    async def who(agent: Doing, message: Any, ctx: Any) -> AgentId:
        return MessageHandlerContext.agent_id()

    a = await register(runtime, "a", start_another)
    assert await runtime.send_message("x", a()) == AgentId("inner", "default")


async def test_a_halted_runtime_does_not_halt_the_other(other: Runtime) -> None:
    strict = SingleThreadedAgentRuntime(ignore_unhandled_exceptions=False)
    await strict.add_subscription(TypeSubscription("news", "unregistered"))
    strict.start()
    await strict.publish_message("x", NEWS)
    with pytest.raises(LookupError):
        await strict.stop_when_idle()
    a = await register(other, "a")
    assert await other.send_message("x", a()) == "x"


async def test_one_agent_cannot_live_in_both(runtime: Runtime, other: Runtime) -> None:
    agent = Doing(Gate())
    await runtime.register_agent_instance(agent, AgentId("a", "1"))
    with pytest.raises(RuntimeError):
        await other.register_agent_instance(agent, AgentId("a", "1"))
    assert instances(other) == []


async def test_a_cancelled_chain_is_not_tried_again_in_the_other(
    runtime: Runtime, other: Runtime
) -> None:
    attempts: list[Any] = []
    fail = asyncio.Event()

    async def fails(agent: Doing, message: Any, ctx: Any) -> None:
        attempts.append(message)
        await fail.wait()
        raise ValueError("fails")

    failing = (await register(other, "fails", fails))()
    retry = RetryPolicy(attempts=3, initial_delay=0.0)
    with runtime.chain() as chain:
        sending = asyncio.ensure_future(other.send_message("x", failing, retry=retry))
    await until(lambda: attempts)
    assert runtime.cancel(chain) == 0  # it is a handler of the other one
    fail.set()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert attempts == ["x"]


async def test_a_cancelled_chain_is_refused_by_the_other(runtime: Runtime, other: Runtime) -> None:
    received: list[Any] = []

    async def receive(agent: Doing, message: Any, ctx: Any) -> None:
        received.append(message)

    receiver = (await register(other, "receives", receive))()
    with runtime.chain() as chain:
        sending = asyncio.ensure_future(other.send_message("queued", receiver, delay=0.001))
    await asyncio.sleep(0)
    runtime.cancel(chain)
    with pytest.raises(MessageCancelledError):
        await sending
    assert received == []
