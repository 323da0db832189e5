"""What the runtime bench does to a runtime: each function makes one column of one row."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import autogen_core
from _cast import Hop, News, Tally, cast, stage
from _measure import Make, Work
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

import ferrogen

Scenario = Callable[..., Any]

BATCH = 100


def columns(floor: Make, scenario: Scenario, **arguments: Any) -> dict[str, Make]:
    """Makes the four columns that all rows have."""
    return {
        "floor": floor,
        "upstream": partial(scenario, autogen_core, **arguments),
        "ours": partial(scenario, ferrogen, **arguments),
        "plain": partial(scenario, ferrogen, plain=True, **arguments),
    }


@asynccontextmanager
async def ask(
    core: ModuleType, *, message: Any, recipient: str = "answerer", **options: Any
) -> AsyncIterator[Work]:
    """Sends to one agent, one message after the other."""
    async with stage(core, **options) as on:
        runtime, agent_id = on.runtime, core.AgentId(recipient, "one")

        async def work(count: int) -> None:
            for _ in range(count):
                await runtime.send_message(message, agent_id)

        yield work


@asynccontextmanager
async def gather(core: ModuleType, *, message: Any, **options: Any) -> AsyncIterator[Work]:
    """Sends to one agent, many messages at once."""
    async with stage(core, **options) as on:
        runtime, agent_id = on.runtime, core.AgentId("answerer", "one")

        async def work(count: int) -> None:
            for _ in range(count // BATCH):
                sends = [runtime.send_message(message, agent_id) for _ in range(BATCH)]
                await asyncio.gather(*sends)

        yield work


@asynccontextmanager
async def chain(core: ModuleType, *, depth: int, **options: Any) -> AsyncIterator[Work]:
    """Lets two agents ask each other, so many deep."""
    async with stage(core, **options) as on:
        runtime, agent_id = on.runtime, core.AgentId("answerer", "even")

        async def work(count: int) -> None:
            for _ in range(count // depth):
                await runtime.send_message(Hop(depth - 1), agent_id)

        yield work


@asynccontextmanager
async def activate(core: ModuleType, *, message: Any, **options: Any) -> AsyncIterator[Work]:
    """Sends each message to an agent that is not there yet."""
    async with stage(core, **options) as on:
        runtime, numbers = on.runtime, itertools.count()

        async def work(count: int) -> None:
            for _ in range(count):
                agent_id = core.AgentId("answerer", str(next(numbers)))
                await runtime.send_message(message, agent_id)

        yield work


@asynccontextmanager
async def publish(
    core: ModuleType, *, subscribe: Callable[[SimpleNamespace], Any], **options: Any
) -> AsyncIterator[Work]:
    """Publishes a batch to one subscriber, and waits until all of it is handled."""
    async with stage(core, **options) as on:
        topic = core.TopicId(await subscribe(on), "today")
        runtime, message = on.runtime, News(1)

        async def work(count: int) -> None:
            for _ in range(count // BATCH):
                last = on.tally.expect(BATCH)
                for _ in range(BATCH):
                    await runtime.publish_message(message, topic)
                await last

        yield work


async def by_type(on: SimpleNamespace) -> str:
    await on.runtime.add_subscription(on.core.TypeSubscription("news", "reader"))
    return "news"


async def by_prefix(on: SimpleNamespace) -> str:
    await on.runtime.add_subscription(on.core.TypePrefixSubscription("news", "reader"))
    return "news-from-here"


async def among_many(on: SimpleNamespace) -> str:
    for number in range(2_000):
        await on.runtime.add_subscription(on.core.TypeSubscription(f"news-{number}", "reader"))
    return "news-1000"


@asynccontextmanager
async def fan_out(core: ModuleType, *, size: int, **options: Any) -> AsyncIterator[Work]:
    """Publishes one message to many agents, and waits until each has handled it."""
    async with stage(core, **options) as on:
        for number in range(size):
            await on.Reader.register(on.runtime, f"reader-{number}", on.Reader)
            await on.runtime.add_subscription(core.TypeSubscription("news", f"reader-{number}"))
        topic, message = core.TopicId("news", "today"), News(1)
        runtime = on.runtime

        async def work(count: int) -> None:
            for _ in range(count // size):
                last = on.tally.expect(size)
                await runtime.publish_message(message, topic)
                await last

        yield work


@asynccontextmanager
async def subscribe_late(core: ModuleType, *, topics: int, **options: Any) -> AsyncIterator[Work]:
    """Adds subscriptions after so many topics have been routed to somebody."""
    async with stage(core, **options) as on:
        await by_type(on)
        for number in range(topics):
            topic = core.TopicId("news", str(number))
            if core is autogen_core:
                await on.runtime._subscription_manager.get_subscribed_recipients(topic)
            else:
                on.runtime._routes.recipients(topic)

        late = [core.TypeSubscription(f"late-{number}", "reader") for number in range(1_000)]

        async def work(count: int) -> None:
            for subscription in late[:count]:
                await on.runtime.add_subscription(subscription)

        yield work


@contextmanager
def events_are_logged() -> Iterator[None]:
    """Turns on the log of events; both packages write to the logger of upstream's name."""
    logger = logging.getLogger(autogen_core.EVENT_LOGGER_NAME)
    before = logger.level
    with Path(os.devnull).open("w") as nowhere:
        handler = logging.StreamHandler(nowhere)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.setLevel(before)
            logger.removeHandler(handler)


@asynccontextmanager
async def ask_logged(core: ModuleType, **arguments: Any) -> AsyncIterator[Work]:
    """Sends with the log of events on."""
    async with ask(core, **arguments) as work:

        async def logged(count: int) -> None:
            with events_are_logged():
                await work(count)

        yield logged


@asynccontextmanager
async def ask_traced(core: ModuleType, **arguments: Any) -> AsyncIterator[Work]:
    """Sends with a tracer that records spans and hands them to a processor that drops them."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SpanProcessor())
    async with ask(core, tracer_provider=provider, **arguments) as work:
        yield work


@asynccontextmanager
async def make_agents() -> AsyncIterator[Work]:
    """The floor of an activation: calls the factory and keeps the agent, without messages."""
    answerer = cast(ferrogen, Tally()).Answerer
    populate = ferrogen.AgentInstantiationContext.populate_context
    runtime = ferrogen.SingleThreadedAgentRuntime()
    made = {}

    async def work(count: int) -> None:
        for number in range(count):
            agent_id = ferrogen.AgentId("answerer", str(number))
            with populate((runtime, agent_id)):
                made[agent_id] = answerer()

    yield work
