"""Scenarios of the runtime bench: each function makes one column of one row."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

import autogen_core
from _agents_and_messages import (
    NestedRequest,
    Notification,
    Tally,
    agent_classes,
    started_runtime,
)
from _measure import Make, Work

import ferrogen

Scenario = Callable[..., Any]

BATCH = 100


def columns(
    floor: Make,
    scenario: Scenario,
    references: Mapping[str, Make] | None = None,
    **arguments: Any,
) -> dict[str, Make]:
    """Makes the four columns that all rows have, and references beside ours.

    Args:
        floor: The floor.
        scenario: Makes the column of a package.
        references: Further columns that ours is compared with.
        **arguments: Go to the scenario.
    """
    return {
        "floor": floor,
        "upstream": partial(scenario, autogen_core, **arguments),
        **(references or {}),
        "ours": partial(scenario, ferrogen, **arguments),
        "task mode": partial(scenario, ferrogen, task_mode=True, **arguments),
    }


@asynccontextmanager
async def send(
    core: ModuleType, *, message: Any, recipient: str = "responder", **options: Any
) -> AsyncIterator[Work]:
    """Sends to one agent, one message after the other."""
    async with started_runtime(core, **options) as on:
        runtime, agent_id = on.runtime, core.AgentId(recipient, "one")

        async def work(count: int) -> None:
            for _ in range(count):
                await runtime.send_message(message, agent_id)

        yield work


@asynccontextmanager
async def gather(
    core: ModuleType, *, message: Any, recipient: str = "responder", **options: Any
) -> AsyncIterator[Work]:
    """Sends to one agent, a batch of messages at once."""
    async with started_runtime(core, **options) as on:
        runtime, agent_id = on.runtime, core.AgentId(recipient, "one")

        async def work(count: int) -> None:
            for _ in range(count // BATCH):
                sends = [runtime.send_message(message, agent_id) for _ in range(BATCH)]
                await asyncio.gather(*sends)

        yield work


@asynccontextmanager
async def send_in_turn(
    core: ModuleType, *, message: Any, agents: int, **options: Any
) -> AsyncIterator[Work]:
    """Sends to many agents in turn, which exist beforehand."""
    async with started_runtime(core, **options) as on:
        runtime = on.runtime
        agent_ids = [core.AgentId("responder", str(number)) for number in range(agents)]
        for agent_id in agent_ids:
            await runtime.try_get_underlying_agent_instance(agent_id)
        in_turn = itertools.cycle(agent_ids)

        async def work(count: int) -> None:
            for agent_id in itertools.islice(in_turn, count):
                await runtime.send_message(message, agent_id)

        yield work


@asynccontextmanager
async def chain(core: ModuleType, *, depth: int, **options: Any) -> AsyncIterator[Work]:
    """Lets two agents send to each other, so many deep."""
    async with started_runtime(core, **options) as on:
        runtime, agent_id = on.runtime, core.AgentId("responder", "even")

        async def work(count: int) -> None:
            for _ in range(count // depth):
                await runtime.send_message(NestedRequest(depth - 1), agent_id)

        yield work


@asynccontextmanager
async def activate(core: ModuleType, *, message: Any, **options: Any) -> AsyncIterator[Work]:
    """Sends each message to an agent that does not exist yet."""
    async with started_runtime(core, **options) as on:
        runtime, numbers = on.runtime, itertools.count()

        async def work(count: int) -> None:
            for _ in range(count):
                agent_id = core.AgentId("responder", str(next(numbers)))
                await runtime.send_message(message, agent_id)

        yield work


@asynccontextmanager
async def make_agents() -> AsyncIterator[Work]:
    """The floor of an activation: calls the factory and keeps the agent, without messages."""
    responder = agent_classes(ferrogen, Tally()).Responder
    populate = ferrogen.AgentInstantiationContext.populate_context
    runtime = ferrogen.SingleThreadedAgentRuntime()
    made = {}

    async def work(count: int) -> None:
        for number in range(count):
            agent_id = ferrogen.AgentId("responder", str(number))
            with populate((runtime, agent_id)):
                made[agent_id] = responder()

    yield work


@asynccontextmanager
async def publish(
    core: ModuleType, *, subscribe: Callable[[SimpleNamespace], Any], **options: Any
) -> AsyncIterator[Work]:
    """Publishes a batch to one subscriber, and awaits the last message of it."""
    async with started_runtime(core, **options) as on:
        topic = core.TopicId(await subscribe(on), "today")
        runtime, message = on.runtime, Notification(1)

        async def work(count: int) -> None:
            for _ in range(count // BATCH):
                last = on.tally.expect(BATCH)
                for _ in range(BATCH):
                    await runtime.publish_message(message, topic)
                await last

        yield work


async def by_type(on: SimpleNamespace) -> str:
    await on.runtime.add_subscription(on.core.TypeSubscription("news", "subscriber"))
    return "news"


async def by_prefix(on: SimpleNamespace) -> str:
    await on.runtime.add_subscription(on.core.TypePrefixSubscription("news", "subscriber"))
    return "news-from-here"


async def among_many(on: SimpleNamespace) -> str:
    for number in range(2_000):
        subscription = on.core.TypeSubscription(f"news-{number}", "subscriber")
        await on.runtime.add_subscription(subscription)
    return "news-1000"


@asynccontextmanager
async def publish_to_sources(
    core: ModuleType, *, sources: int, size: int, **options: Any
) -> AsyncIterator[Work]:
    """Publishes bursts over topic sources in turn, each with an agent that exists beforehand."""
    async with started_runtime(core, **options) as on:
        topic_type, runtime, message = await by_type(on), on.runtime, Notification(1)
        topics = [core.TopicId(topic_type, str(number)) for number in range(sources)]
        in_turn = itertools.cycle(topics)

        async def work(count: int) -> None:
            for _ in range(count // size):
                last = on.tally.expect(size)
                for topic in itertools.islice(in_turn, size):
                    await runtime.publish_message(message, topic)
                await last

        created = on.tally.expect(sources)
        for topic in topics:
            await runtime.publish_message(message, topic)
        await created
        yield work


@asynccontextmanager
async def fan_out(core: ModuleType, *, size: int, **options: Any) -> AsyncIterator[Work]:
    """Publishes one message to many agents, and awaits the last delivery."""
    async with started_runtime(core, **options) as on:
        for number in range(size):
            name = f"subscriber-{number}"
            await on.Subscriber.register(on.runtime, name, on.Subscriber)
            await on.runtime.add_subscription(core.TypeSubscription("news", name))
        topic, message = core.TopicId("news", "today"), Notification(1)
        runtime = on.runtime

        async def work(count: int) -> None:
            for _ in range(count // size):
                last = on.tally.expect(size)
                await runtime.publish_message(message, topic)
                await last

        yield work


@asynccontextmanager
async def subscribe_late(core: ModuleType, *, topics: int, **options: Any) -> AsyncIterator[Work]:
    """Adds subscriptions after so many topics have been routed to a subscriber."""
    async with started_runtime(core, **options) as on:
        await by_type(on)
        for number in range(topics):
            topic = core.TopicId("news", str(number))
            if core is autogen_core:
                await on.runtime._subscription_manager.get_subscribed_recipients(topic)
            else:
                on.runtime._routes.recipients(topic)

        late = [core.TypeSubscription(f"late-{number}", "subscriber") for number in range(1_000)]

        async def work(count: int) -> None:
            for subscription in late[:count]:
                await on.runtime.add_subscription(subscription)

        yield work
