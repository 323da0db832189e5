"""Handles of subscriptions: adding, removing, and temporary subscriptions."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    SingleThreadedAgentRuntime,
    Subscription,
    TopicId,
    TypeSubscription,
    WildcardSubscription,
)
from ferrogen.exceptions import NoSubscriberError

from .function_agents import Doing, register, until_idle

Runtime = SingleThreadedAgentRuntime


async def received_by(runtime: Runtime) -> list[Any]:
    """Register an agent type "a"; return the messages that it gets from now on."""
    received: list[Any] = []

    async def receive(agent: Doing, message: Any, ctx: Any) -> None:
        received.append(message)

    await register(runtime, "a", receive)
    return received


async def test_messages_are_delivered_in_the_block_and_not_after_it(runtime: Runtime) -> None:
    received = await received_by(runtime)
    async with runtime.subscription(WildcardSubscription("news.*", "a")):
        await runtime.publish_message("inside", TopicId("news.today", "s"))
        await until_idle(runtime)
    await runtime.publish_message("outside", TopicId("news.today", "s"))
    await until_idle(runtime)
    assert received == ["inside"]
    assert isinstance(runtime.dead_letters[-1].reason, NoSubscriberError)


async def test_a_message_that_is_still_queued_at_the_end_of_the_block_is_not_delivered(
    runtime: Runtime,
) -> None:
    received = await received_by(runtime)
    async with runtime.subscription(TypeSubscription("news", "a")):
        await runtime.publish_message("queued", TopicId("news", "s"))
    await until_idle(runtime)
    assert received == []
    assert [letter.message for letter in runtime.dead_letters] == ["queued"]


async def test_the_handle_names_the_subscription(runtime: Runtime) -> None:
    rule = TypeSubscription("news", "a", id="mine")
    handle = runtime.subscription(rule)
    assert (handle.id, handle.subscription, handle.is_active) == ("mine", rule, False)
    assert repr(handle) == "<SubscriptionHandle of TypeSubscription mine, not active>"
    async with handle as entered:
        assert entered is handle
        assert repr(handle) == "<SubscriptionHandle of TypeSubscription mine, active>"
        assert runtime.subscriptions() == (rule,)


async def test_awaiting_a_handle_adds_the_subscription_until_it_is_removed(
    runtime: Runtime,
) -> None:
    handle = await runtime.subscription(TypeSubscription("news", "a"))
    assert handle.is_active
    await handle.remove()
    assert not handle.is_active
    await handle.remove()
    await handle.add()
    assert runtime.subscriptions() == (handle.subscription,)


async def test_a_subscription_is_removed_when_the_block_raises_or_is_cancelled(
    runtime: Runtime,
) -> None:
    with pytest.raises(KeyError):
        async with runtime.subscription(TypeSubscription("news", "a")):
            raise KeyError
    assert runtime.subscriptions() == ()
    entered = asyncio.Event()

    async def subscribe() -> None:
        async with runtime.subscription(TypeSubscription("news", "a")):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(subscribe())
    await entered.wait()
    assert len(runtime.subscriptions()) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert runtime.subscriptions() == ()


@pytest.mark.parametrize("end", ["stop", "close"])
async def test_a_subscription_is_removed_from_a_runtime_that_ended_meanwhile(end: str) -> None:
    runtime = SingleThreadedAgentRuntime()
    runtime.start()
    async with runtime.subscription(TypeSubscription("news", "a")):
        await getattr(runtime, end)()
    assert runtime.subscriptions() == ()


async def test_a_subscription_that_was_removed_in_the_block_is_not_removed_again(
    runtime: Runtime,
) -> None:
    other = TypeSubscription("other", "b", id="same id")
    async with runtime.subscription(TypeSubscription("news", "a", id="same id")) as handle:
        await runtime.remove_subscription(handle.id)
        await runtime.add_subscription(other)
    assert runtime.subscriptions() == (other,)


async def test_a_block_whose_subscription_exists_does_not_begin_and_removes_nothing(
    runtime: Runtime,
) -> None:
    rule = TypeSubscription("news", "a")
    await runtime.add_subscription(rule)
    with pytest.raises(ValueError, match="already exists"):
        async with runtime.subscription(TypeSubscription("news", "a")):
            pytest.fail("the block began")
    assert runtime.subscriptions() == (rule,)


async def test_overridden_methods_of_a_runtime_are_called() -> None:
    calls: list[str] = []

    class Noting(SingleThreadedAgentRuntime):
        async def add_subscription(self, subscription: Subscription) -> None:
            calls.append(f"add {subscription.id}")
            await super().add_subscription(subscription)

        async def remove_subscription(self, id: str) -> None:
            calls.append(f"remove {id}")
            await super().remove_subscription(id)

    async with Noting().subscription(TypeSubscription("news", "a", id="1")):
        pass
    assert calls == ["add 1", "remove 1"]


async def test_a_temporary_subscription_delivers_last(runtime: Runtime) -> None:
    order: list[AgentId] = []

    async def note(agent: Doing, message: Any, ctx: Any) -> None:
        order.append(agent.id)

    for name in ("a", "b"):
        await register(runtime, name, note)
    await runtime.add_subscription(WildcardSubscription("news.>", "b"))
    async with runtime.subscription(TypeSubscription("news.today", "a")):
        await runtime.publish_message("x", TopicId("news.today", "s"))
        await until_idle(runtime)
    assert order == [AgentId("b", "s"), AgentId("a", "s")]
