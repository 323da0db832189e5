"""An order pipeline: back-pressure, retries, a poisoned message, dead letters that are sent again.

    python examples/order_pipeline.py

A customer publishes orders faster than they can be handled. The desk takes them one after the
other, and slows the customer down when its mailbox is full. Express orders overtake the others. The
desk asks the warehouse, whose network fails now and then: it is asked again. One order cannot be
read at all. It fails in each attempt, and becomes a dead letter; when the program has learned to
read it, it is sent again.
"""

import asyncio
import logging
from dataclasses import dataclass
from random import Random

from ferrogen import (
    ROOT_LOGGER_NAME,
    AgentId,
    MessageContext,
    Priority,
    RetryPolicy,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    TopicId,
    agent_options,
    event,
    rpc,
    type_subscription,
)

ORDERS = TopicId("orders", "web")
WAREHOUSE = AgentId("warehouse", "turin")
WORDS: dict[str, str] = {}
"""Numbers as words, and what they mean."""


@dataclass
class Order:
    number: int
    quantity: str
    """As the customer has typed it."""


@dataclass
class Reservation:
    order: int
    pieces: int


class NetworkError(Exception):
    """The warehouse was not reached; worth another attempt."""


# One order after the other. A customer who is faster waits until one of ten places is free.
@type_subscription("orders")
@agent_options(
    order="sequential",
    capacity=10,
    overflow="wait",
    retry=RetryPolicy(attempts=3, initial_delay=0.001),
)
class Desk(RoutedAgent):
    shipped: list[int]

    def __init__(self) -> None:
        super().__init__("takes orders")
        self.shipped = []

    @event
    async def on_order(self, order: Order, ctx: MessageContext) -> None:
        # A ValueError for what is not a number.
        pieces = int(WORDS.get(order.quantity, order.quantity))
        # An own policy, in place of that of the warehouse; the reservation expires after a second.
        await self.send_message(
            Reservation(order.number, pieces),
            WAREHOUSE,
            retry=RetryPolicy(attempts=5, initial_delay=0.001, retry_on=(NetworkError,)),
            timeout=1.0,
        )
        self.shipped.append(order.number)


class Warehouse(RoutedAgent):
    def __init__(self) -> None:
        super().__init__("reserves pieces")
        self.pieces = 1000
        self._random = Random(7)

    @rpc
    async def on_reservation(self, reservation: Reservation, ctx: MessageContext) -> int:
        if self._random.random() < 0.2:
            raise NetworkError("no response")
        self.pieces -= reservation.pieces
        return self.pieces


async def customer(runtime: SingleThreadedAgentRuntime) -> None:
    for number in range(1, 51):
        quantity = "two" if number == 13 else "2"
        priority = Priority.HIGH if number % 10 == 0 else Priority.NORMAL
        # Waits while the mailbox of the desk is full.
        await runtime.publish_message(Order(number, quantity), ORDERS, priority=priority)


async def main() -> None:
    # Each failed attempt is logged; this program looks at the dead letters instead.
    logging.getLogger(ROOT_LOGGER_NAME).setLevel(logging.CRITICAL)
    async with SingleThreadedAgentRuntime() as runtime:
        await Desk.register(runtime, "desk", Desk)
        await Warehouse.register(runtime, "warehouse", Warehouse)

        await customer(runtime)
        await runtime.stop_when_idle()
        desk = await runtime.try_get_underlying_agent_instance(AgentId("desk", "web"), Desk)
        print(f"{len(desk.shipped)} of 50 orders were shipped")
        [letter] = runtime.dead_letters.filter(message_type=Order)
        print(f"order {letter.message.number} failed {letter.attempts} times: {letter.reason}")

        WORDS["two"] = "2"
        runtime.start()
        await runtime.dead_letters.replay(letter)
        await runtime.stop_when_idle()
        print(f"{len(desk.shipped)} of 50 orders were shipped, {len(runtime.dead_letters)} failed")
        runtime.start()


if __name__ == "__main__":
    asyncio.run(main())
