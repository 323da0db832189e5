"""Measures routing alone: the recipients of a topic, a subscription, and the memory kept."""

from __future__ import annotations

import asyncio
import gc
import re
import statistics
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Literal

import autogen_core
from _measure import Make, Result, Row, Work, announce, in_new_process, measure, options, save
from _tables import duration, show_table, times
from autogen_core._runtime_impl_helpers import SubscriptionManager

import ferrogen
from ferrogen._core import Routes

SOURCES = 100_000

Kind = Literal["exact", "by prefix", "by wildcard"]


class RegexSubscription:
    """What programs on upstream write for topic types by pattern."""

    def __init__(self, pattern: str, agent_type: str) -> None:
        self.id = pattern
        self._agent_type = agent_type
        self._pattern = re.compile(pattern.replace(".", r"\.").replace("*", r"[^.]*"))

    def is_match(self, topic_id: Any) -> bool:
        return self._pattern.fullmatch(topic_id.type) is not None

    def map_to_agent(self, topic_id: Any) -> Any:
        return autogen_core.AgentId(self._agent_type, topic_id.source)


class Upstream:
    """Upstream's routing, under the names of ours."""

    core: Any = autogen_core
    wildcard: Any = RegexSubscription

    def __init__(self) -> None:
        self._manager = SubscriptionManager()

    async def add(self, subscription: Any) -> None:
        await self._manager.add_subscription(subscription)

    async def recipients(self, topic: Any) -> list[Any]:
        return await self._manager.get_subscribed_recipients(topic)


class Ours:
    """Ferrogen's routing, awaited like upstream's, so that both include it."""

    core: Any = ferrogen
    wildcard: Any = ferrogen.WildcardSubscription

    def __init__(self) -> None:
        self._routes = Routes()

    async def add(self, subscription: Any) -> None:
        self._routes.add(subscription)

    async def recipients(self, topic: Any) -> list[Any]:
        return self._routes.recipients(topic)


Routing = type[Upstream] | type[Ours]


def topic_type(kind: Kind, number: int) -> str:
    """Returns one of the topic types with a subscription of its own."""
    # The length is fixed, so that no prefix is the beginning of another one.
    return f"news.today.{number:04}" if kind == "by wildcard" else f"news-{number:04}"


async def subscribed(routing: Routing, *, count: int, kind: Kind) -> Any:
    """Makes a routing with so many subscriptions, each for a topic type of its own."""
    made = routing()
    subscription = {
        "exact": routing.core.TypeSubscription,
        "by prefix": routing.core.TypePrefixSubscription,
        "by wildcard": routing.wildcard,
    }[kind]
    for number in range(count):
        await made.add(subscription(topic_type(kind, number).replace("today", "*"), "reader"))
    return made


@asynccontextmanager
async def same_topic(routing: Routing, *, count: int, kind: Kind) -> AsyncIterator[Work]:
    """Finds the recipients of the same topic again and again."""
    made = await subscribed(routing, count=count, kind=kind)
    topic = routing.core.TopicId(topic_type(kind, count // 2), "today")
    assert len(await made.recipients(topic)) == 1

    async def work(count: int) -> None:
        for _ in range(count):
            await made.recipients(topic)

    yield work


@asynccontextmanager
async def new_topics(routing: Routing, *, count: int, kind: Kind) -> AsyncIterator[Work]:
    """Finds the recipients of a new topic source each time."""
    made = await subscribed(routing, count=count, kind=kind)
    name = topic_type(kind, count // 2)
    topics = [routing.core.TopicId(name, str(number)) for number in range(1_000)]

    async def work(count: int) -> None:
        for topic in topics[:count]:
            await made.recipients(topic)

    yield work


@asynccontextmanager
async def late_subscriptions(routing: Routing, *, topics: int) -> AsyncIterator[Work]:
    """Subscribes after so many topics were routed."""
    made = await subscribed(routing, count=1, kind="exact")
    for number in range(topics):
        await made.recipients(routing.core.TopicId("news-0000", str(number)))
    late = [routing.core.TypeSubscription(f"late-{number}", "reader") for number in range(1_000)]

    async def work(count: int) -> None:
        for subscription in late[:count]:
            await made.add(subscription)

    yield work


def both(make: Any, **arguments: Any) -> dict[str, Make]:
    """Makes the two columns."""
    return {
        "upstream": partial(make, Upstream, **arguments),
        "ours": partial(make, Ours, **arguments),
    }


def rows() -> Iterator[Row]:
    """All rows that take time."""
    kinds: tuple[Kind, ...] = ("exact", "by prefix", "by wildcard")
    for kind in kinds:
        for count in (1, 10, 2_000):
            how = f"{count:,} {'subscription' if count == 1 else 'subscriptions'}, {kind}"
            yield Row(f"known topic, {how}", both(same_topic, count=count, kind=kind))
            yield Row(
                f"new topic source, {how}",
                both(new_topics, count=count, kind=kind),
                exactly={"upstream": 1_000 if count <= 10 else 100, "ours": 1_000},
            )
    for topics, few in ((10, 10), (SOURCES, 2)):
        yield Row(
            f"add a subscription after {topics:,} topics",
            both(late_subscriptions, topics=topics),
            exactly={"upstream": few, "ours": 1_000},
        )


MEMORY = """
import asyncio, gc, sys, tracemalloc
sys.path.insert(0, {folder!r})
import autogen_core, ferrogen
from _measure import resident
from routing import Ours, Upstream, subscribed

async def grown(routing, traced):
    made = await subscribed(routing, count=10, kind="exact")
    topic = routing.core.TopicId
    for number in range(1_000):
        await made.recipients(topic("news-0005", f"warm-{{number}}"))
    gc.collect()
    if traced:
        tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0] if traced else resident()
    for number in range({sources}):
        await made.recipients(topic("news-0005", str(number)))
    gc.collect()
    return (tracemalloc.get_traced_memory()[0] if traced else resident()) - before

print(asyncio.run(grown({routing}, {traced})))
"""


def memory_of_topics(rounds: int) -> list[Result]:
    """Measures what stays of many topic sources, each time in a process of its own."""
    results = []
    for what, traced in (("resident memory", False), ("Python's own blocks", True)):
        samples: dict[str, list[float]] = {"upstream": [], "ours": []}
        for _ in range(rounds):
            for column, routing in (("upstream", "Upstream"), ("ours", "Ours")):
                grown = in_new_process(MEMORY, routing=routing, traced=traced, sources=SOURCES)
                samples[column].append(grown)
        results.append(Result(f"{what} after {SOURCES:,} topic sources", samples))
    return results


async def main() -> None:
    chosen = options(__doc__ or "")
    rounds, seconds = (5, 0.01) if chosen.quick else (9, 0.05)
    announce()
    gc.freeze()
    timed = [
        await measure(row, rounds=rounds, seconds=seconds)
        for row in rows()
        if chosen.only in row.name
    ]
    show_table(
        ["recipients of a topic", "upstream", "ours", "x upstream", "spread"],
        [
            [
                result.name,
                duration(result.median("upstream")),
                duration(result.median("ours")),
                times(result.ratio("upstream", "ours")),
                f"{max(result.spread('upstream'), result.spread('ours')):.0%}",
            ]
            for result in timed
        ],
    )
    weighed = memory_of_topics(3)
    show_table(
        ["growth", "upstream", "ours"],
        [
            [
                result.name,
                *(
                    f"{statistics.median(result.samples[column]) / 1024:,.0f} KiB"
                    for column in ("upstream", "ours")
                ),
            ]
            for result in weighed
        ],
    )
    save(chosen.json, [*timed, *weighed])


if __name__ == "__main__":
    asyncio.run(main())
