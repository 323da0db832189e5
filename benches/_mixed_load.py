"""A mixed load: bursts over topic sources, interventions, concurrency limits, the event log."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count as counter
from itertools import cycle, islice
from types import ModuleType
from typing import Any

from _agents_and_messages import Request, Tally, limited, started_runtime
from _features import intervention_handler, with_event_log
from _floors import respond, revise
from _measure import Work
from _recorded_telemetry import EventRecorder, attached

import ferrogen

BURST = 1_000
CUSTOMERS = 200
STOCKS = 20
STOCK_CONCURRENCY = 4
SUSPENDING = 10
"""Every tenth order suspends."""


@dataclass
class Order:
    number: int


def order_agents(core: ModuleType, tally: Tally) -> tuple[type[Any], type[Any]]:
    """The subscribers of an order: one that handles an order at a time, and one without a limit."""
    message_handler, MessageContext = core.message_handler, core.MessageContext  # noqa: N806
    stocks = [core.AgentId("stock", str(number)) for number in range(STOCKS)]

    class Customer(core.RoutedAgent):
        def __init__(self) -> None:
            super().__init__("orders")

        @message_handler
        async def on_order(self, message: Order, ctx: MessageContext) -> None:
            number = message.number
            if not number % SUSPENDING:
                await asyncio.sleep(0)
            await self.send_message(Request(number), stocks[number % STOCKS])
            tally.count()

    class Audit(core.RoutedAgent):
        def __init__(self) -> None:
            super().__init__("audits")

        @message_handler
        async def on_order(self, message: Order, ctx: MessageContext) -> None:
            tally.count()

    return limited(core, Customer, 1), Audit


@asynccontextmanager
async def bursts(core: ModuleType, **options: Any) -> AsyncIterator[Work]:
    """Publishes bursts of orders over many topic sources, and awaits their last delivery."""
    handlers = [intervention_handler(core, "overridden")]
    async with started_runtime(core, intervention_handlers=handlers, **options) as on:
        runtime, tally = on.runtime, on.tally
        stock = limited(core, on.Responder, STOCK_CONCURRENCY)
        await stock.register(runtime, "stock", stock)
        for name, agent in zip(("customer", "audit"), order_agents(core, tally), strict=True):
            await agent.register(runtime, name, agent)
            await runtime.add_subscription(core.TypeSubscription("orders", name))
        topics = cycle([core.TopicId("orders", str(number)) for number in range(CUSTOMERS)])
        numbers = counter()

        async def work(count: int) -> None:
            for _ in range(count // BURST):
                last = tally.expect(2 * BURST)
                for topic in islice(topics, BURST):
                    await runtime.publish_message(Order(next(numbers)), topic)
                await last

        yield work


@asynccontextmanager
async def logged_bursts(core: ModuleType, **options: Any) -> AsyncIterator[Work]:
    """The same with the event log on."""
    async with bursts(core, **options) as work:
        yield with_event_log(work)


@asynccontextmanager
async def bare_bursts() -> AsyncIterator[Work]:
    """The floor: gathered coroutines with semaphores, and the same events in a bare loop."""
    recorder = EventRecorder()
    async with bursts(ferrogen) as publish:
        await publish(BURST)
        with attached(recorder):
            await publish(BURST)
    customers = [asyncio.Semaphore(1) for _ in range(CUSTOMERS)]
    stocks = [asyncio.Semaphore(STOCK_CONCURRENCY) for _ in range(STOCKS)]
    tally = Tally()

    async def handle(order: Order) -> None:
        number = (await revise(order)).number
        async with customers[number % CUSTOMERS]:
            if not number % SUSPENDING:
                await asyncio.sleep(0)
            async with stocks[number % STOCKS]:
                await revise(await respond(await revise(Request(number)), None))
            tally.count()
        tally.count()

    async def work(count: int) -> None:
        for _ in range(count // BURST):
            last = tally.expect(2 * BURST)
            await asyncio.gather(*[handle(Order(number)) for number in range(BURST)])
            await last
            recorder.replay()

    yield with_event_log(work)
