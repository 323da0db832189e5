"""The rows of the messaging bench: a feature each, off and on, and what a user would write."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from functools import partial
from typing import Any

import pykka
import tenacity
from _agents_and_messages import Notification, Request
from _measure import Row, Work

from ferrogen import (
    AgentId,
    AgentOptions,
    ClosureAgent,
    ClosureContext,
    DefaultInterventionHandler,
    MessageContext,
    RetryPolicy,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)

TOPIC = TopicId("news", "one")
RECIPIENT = AgentId("responder", "one")
SENDERS = 1_000
QUEUED = 100_000


class Unmodified(DefaultInterventionHandler):
    """An intervention handler of a high priority that changes nothing."""

    priority = 1

    async def on_send(self, message: Any, **how: Any) -> Any:
        return message


async def respond(agent: ClosureContext, message: Any, ctx: MessageContext) -> Any:
    return message


@asynccontextmanager
async def started(
    options: AgentOptions | None = None, **arguments: Any
) -> AsyncIterator[SingleThreadedAgentRuntime]:
    """A runtime with an agent that responds at once."""
    async with SingleThreadedAgentRuntime(**arguments) as runtime:
        await ClosureAgent.register_closure(
            runtime, "responder", respond, unknown_type_policy="ignore"
        )
        if options is not None:
            runtime.set_agent_options("responder", options)
        await runtime.add_subscription(TypeSubscription("news", "responder"))
        yield runtime


@asynccontextmanager
async def send(
    *,
    options: AgentOptions | None = None,
    in_chain: bool = False,
    arguments: dict[str, Any] | None = None,
    **further: Any,
) -> AsyncIterator[Work]:
    """Sends to one agent, one message after the other."""
    async with started(options, **(arguments or {})) as runtime:
        message = Request(1)

        async def work(count: int) -> None:
            around: AbstractContextManager[Any] = runtime.chain() if in_chain else nullcontext()
            with around:
                for _ in range(count):
                    await runtime.send_message(message, RECIPIENT, **further)

        yield work


@asynccontextmanager
async def bare() -> AsyncIterator[Work]:
    """The floor: an awaited coroutine function."""
    message = Request(1)

    async def work(count: int) -> None:
        for _ in range(count):
            await echo(message)

    yield work


async def echo(message: Any) -> Any:
    return message


@asynccontextmanager
async def by_tenacity() -> AsyncIterator[Work]:
    """A coroutine function that tenacity would call again."""
    retrying = tenacity.retry(stop=tenacity.stop_after_attempt(3))(echo)
    message = Request(1)

    async def work(count: int) -> None:
        for _ in range(count):
            await retrying(message)

    yield work


@asynccontextmanager
async def by_pykka() -> AsyncIterator[Work]:
    """An actor of pykka, which has a thread of its own."""

    class Responder(pykka.ThreadingActor):
        def on_receive(self, message: Any) -> Any:
            return message

    actor = Responder.start()
    message = Request(1)

    async def work(count: int) -> None:
        for _ in range(count):
            actor.ask(message)

    yield work
    actor.stop()


@asynccontextmanager
async def by_timeout() -> AsyncIterator[Work]:
    """A coroutine function with a time limit."""
    message = Request(1)

    async def work(count: int) -> None:
        for _ in range(count):
            await asyncio.wait_for(echo(message), 60)

    yield work


def requests() -> Iterator[Row]:
    """What a request costs with one feature."""
    off = {"floor": bare, "off": send}
    policy = RetryPolicy(attempts=3)
    yield Row("actor framework", {**off, "instead": by_pykka, "ours": send}, "bare await")
    features: dict[str, dict[str, Any]] = {
        "priority=1": {"priority": 1},
        "fairness_key=": {"fairness_key": "tenant"},
        "timeout=60": {"timeout": 60},
        "max_hops=10": {"max_hops": 10},
        "max_hops of the runtime": {"arguments": {"max_hops": 10}},
        "in a chain": {"in_chain": True},
        "retry= of the message": {"retry": policy},
        "retry of the agent type": {"options": AgentOptions(retry=policy)},
        "order='sequential'": {"options": AgentOptions(order="sequential")},
        "capacity=100, overflow='wait'": {
            "options": AgentOptions(order="sequential", capacity=100, overflow="wait")
        },
        "an intervention handler with a priority": {
            "arguments": {"intervention_handlers": [Unmodified()]}
        },
    }
    instead = {"timeout=60": by_timeout, "retry of the agent type": by_tenacity}
    for name, options in features.items():
        columns = {**off, "ours": partial(send, **options)}
        if name in instead:
            columns["instead"] = instead[name]
        yield Row(name, columns, "bare await")


# Back-pressure.


@asynccontextmanager
async def publish_by_many(*, capacity: int | None) -> AsyncIterator[Work]:
    """So many senders publish to one sequential agent."""
    overflow: Any = "reject" if capacity is None else "wait"
    options = AgentOptions(order="sequential", capacity=capacity, overflow=overflow)
    async with started(options) as runtime:
        message = Notification(1)

        async def work(count: int) -> None:
            each = count // SENDERS

            async def publish() -> None:
                for _ in range(each):
                    await runtime.publish_message(message, TOPIC)

            await asyncio.gather(*(asyncio.create_task(publish()) for _ in range(SENDERS)))
            await runtime.stop_when_idle()
            runtime.start()

        yield work


@asynccontextmanager
async def bounded_queue(*, capacity: int) -> AsyncIterator[Work]:
    """So many producers, an `asyncio.Queue` with room for so many, and one consumer."""
    message = Notification(1)

    async def work(count: int) -> None:
        queue: asyncio.Queue[Any] = asyncio.Queue(capacity)
        each = count // SENDERS

        async def produce() -> None:
            for _ in range(each):
                await queue.put(message)

        async def consume() -> None:
            for _ in range(each * SENDERS):
                await echo(await queue.get())

        consumer = asyncio.create_task(consume())
        await asyncio.gather(*(asyncio.create_task(produce()) for _ in range(SENDERS)))
        await consumer

    yield work


# Queued messages.


@asynccontextmanager
async def publish_queued(*, priorities: bool) -> AsyncIterator[Work]:
    """Messages that are all queued before the runtime is started."""
    runtime = SingleThreadedAgentRuntime()
    await ClosureAgent.register_closure(runtime, "responder", respond, unknown_type_policy="ignore")
    await runtime.add_subscription(TypeSubscription("news", "responder"))
    message = Notification(1)

    async def work(count: int) -> None:
        each = itertools.cycle((0, 1, -1, 2, -2) if priorities else (0,))
        for priority in itertools.islice(each, count):
            await runtime.publish_message(message, TOPIC, priority=priority)
        runtime.start()
        await runtime.stop_when_idle()

    yield work
    await runtime.close()


@asynccontextmanager
async def priority_queue() -> AsyncIterator[Work]:
    """The same by an `asyncio.PriorityQueue`, whose entries are numbered to keep their order."""
    message = Notification(1)

    async def work(count: int) -> None:
        queue: asyncio.PriorityQueue[Any] = asyncio.PriorityQueue()
        each = itertools.cycle((0, 1, -1, 2, -2))
        for number in range(count):
            await queue.put((-next(each), number, message))
        for _ in range(count):
            await echo((await queue.get())[2])

    yield work


@asynccontextmanager
async def heap() -> AsyncIterator[Work]:
    """The floor: the same by a heap, and a bare await for each message."""
    message = Notification(1)

    async def work(count: int) -> None:
        entries: list[Any] = []
        each = itertools.cycle((0, 1, -1, 2, -2))
        for number in range(count):
            heapq.heappush(entries, (-next(each), number, message))
        for _ in range(count):
            await echo(heapq.heappop(entries)[2])

    yield work


def loads() -> Iterator[Row]:
    """What one message costs where many wait."""
    for capacity in (1, 100):
        yield Row(
            f"{SENDERS:,} publishers, room for {capacity}",
            {
                "floor": partial(bounded_queue, capacity=0),
                "off": partial(publish_by_many, capacity=None),
                "instead": partial(bounded_queue, capacity=capacity),
                "ours": partial(publish_by_many, capacity=capacity),
            },
            "asyncio.Queue without a limit",
            step=SENDERS,
        )
    columns = {
        "floor": heap,
        "off": partial(publish_queued, priorities=False),
        "instead": priority_queue,
        "ours": partial(publish_queued, priorities=True),
    }
    yield Row(
        f"{QUEUED:,} queued messages of five priorities",
        columns,
        "heapq",
        exactly=dict.fromkeys(columns, QUEUED),
    )
