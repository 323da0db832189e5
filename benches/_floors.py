"""The floors of the benches: the same work in asyncio alone, without agents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import cycle, islice
from typing import Any

from _agents_and_messages import NestedRequest, Tally, completed_soon
from _measure import Make, Work

Handler = Callable[[Any, None], Awaitable[Any]]


async def respond(message: Any, ctx: None) -> int:
    return message.number


async def overridden(message: Any, ctx: None) -> int:
    return await respond(message, ctx)


async def respond_length(message: Any, ctx: None) -> int:
    return len(message.text)


async def sleep(message: Any, ctx: None) -> int:
    await asyncio.sleep(0)
    return message.number


async def await_future(message: Any, ctx: None) -> int:
    await completed_soon()
    return message.number


async def nested(message: NestedRequest, ctx: None) -> int:
    return await nested(NestedRequest(message.left - 1), ctx) if message.left else 0


async def revise(value: Any) -> Any:
    return value


async def revise_suspending(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


async def intercepted(message: Any, ctx: None) -> int:
    """A handler between the two methods of an intervention handler."""
    return await revise(await respond(await revise(message), ctx))


async def intercepted_suspending(message: Any, ctx: None) -> int:
    """The same with methods that suspend."""
    return await revise_suspending(await respond(await revise_suspending(message), ctx))


class Actor:
    """A hand-written actor: a queue, a task that reads it, a future for the response."""

    def __init__(self) -> None:
        self._mailbox: asyncio.Queue[tuple[Any, asyncio.Future[int]]] = asyncio.Queue()
        self._task = asyncio.create_task(self._run())

    async def request(self, message: Any) -> int:
        response: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        await self._mailbox.put((message, response))
        return await response

    async def _run(self) -> None:
        while True:
            message, response = await self._mailbox.get()
            response.set_result(await respond(message, None))

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


class Recipient:
    """An object with a handler, in place of an agent."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    async def on_request(self, message: Any, ctx: None) -> int:
        return message.number

    async def on_notification(self, message: Any, ctx: None) -> None:
        self._tally.count()


def floor(work: Work) -> Make:
    """Makes a column of work that needs no setup."""

    @asynccontextmanager
    async def make() -> AsyncIterator[Work]:
        yield work

    return make


def bare(handler: Handler, message: Any, per_call: int = 1) -> Make:
    """Awaits a handler directly."""

    async def work(count: int) -> None:
        for _ in range(count // per_call):
            await handler(message, None)

    return floor(work)


def tasks(message: Any, handler: Handler = respond) -> Make:
    """Awaits a handler in a task of its own."""

    async def work(count: int) -> None:
        for _ in range(count):
            await asyncio.create_task(handler(message, None))  # type: ignore[arg-type]

    return floor(work)


def gathered(message: Any, size: int, handler: Handler = respond) -> Make:
    """Gathers coroutines, which makes a task of each."""

    async def work(count: int) -> None:
        for _ in range(count // size):
            await asyncio.gather(*[handler(message, None) for _ in range(size)])

    return floor(work)


def serial(handler: Handler) -> Handler:
    """The handler under a semaphore: one message after the other."""
    semaphore = asyncio.Semaphore(1)

    async def handle(message: Any, ctx: None) -> Any:
        async with semaphore:
            return await handler(message, ctx)

    return handle


def in_turn(message: Any, count: int) -> Make:
    """Awaits the handlers of many objects in turn, each found by its key."""
    recipients = {str(number): Recipient(Tally()) for number in range(count)}
    keys = cycle(recipients)

    async def work(count: int) -> None:
        for key in islice(keys, count):
            await recipients[key].on_request(message, None)

    return floor(work)


def counted(message: Any, size: int, recipients: int = 1) -> Make:
    """Awaits handlers that count, and then a future that the last of them completes."""
    tally = Tally()
    handlers: Iterable[Handler] = cycle(
        [Recipient(tally).on_notification for _ in range(recipients)]
    )

    async def work(count: int) -> None:
        for _ in range(count // size):
            last = tally.expect(size)
            for handle in islice(handlers, size):
                await handle(message, None)
            await last

    return floor(work)


@asynccontextmanager
async def actor(message: Any) -> AsyncIterator[Work]:
    """Sends to a hand-written actor."""
    one = Actor()

    async def work(count: int) -> None:
        for _ in range(count):
            await one.request(message)

    yield work
    await one.close()
