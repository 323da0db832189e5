"""What the same work costs in asyncio alone, without agents: the floors of the benches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from _cast import Hop, Tally, real_wait
from _measure import Make, Work


async def answer(message: Any, ctx: None) -> int:
    return message.number


async def overridden(message: Any, ctx: None) -> int:
    return await answer(message, ctx)


async def measure_letter(message: Any, ctx: None) -> int:
    return len(message.text)


async def pause(message: Any, ctx: None) -> int:
    await asyncio.sleep(0)
    return message.number


async def wait(message: Any, ctx: None) -> int:
    await real_wait()
    return message.number


async def hop(message: Hop, ctx: None) -> int:
    return await hop(Hop(message.left - 1), ctx) if message.left else 0


class Actor:
    """An actor as people write it by hand: a queue, a task that reads it, a future to answer."""

    def __init__(self) -> None:
        self._mailbox: asyncio.Queue[tuple[Any, asyncio.Future[int]]] = asyncio.Queue()
        self._task = asyncio.create_task(self._run())

    async def ask(self, message: Any) -> int:
        reply: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        await self._mailbox.put((message, reply))
        return await reply

    async def _run(self) -> None:
        while True:
            message, reply = await self._mailbox.get()
            reply.set_result(await answer(message, None))

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


def floor(work: Work) -> Make:
    """Makes a column of work that needs nothing."""

    @asynccontextmanager
    async def make() -> AsyncIterator[Work]:
        yield work

    return make


def bare(handler: Callable[[Any, None], Awaitable[Any]], message: Any, per_call: int = 1) -> Make:
    """Awaits a handler directly."""

    async def work(count: int) -> None:
        for _ in range(count // per_call):
            await handler(message, None)

    return floor(work)


def tasks(message: Any) -> Make:
    """Awaits a handler in a task of its own."""

    async def work(count: int) -> None:
        for _ in range(count):
            await asyncio.create_task(answer(message, None))

    return floor(work)


def gathered(message: Any, size: int) -> Make:
    """Gathers plain coroutines, which makes a task of each."""

    async def work(count: int) -> None:
        for _ in range(count // size):
            await asyncio.gather(*[answer(message, None) for _ in range(size)])

    return floor(work)


def counted(message: Any, size: int) -> Make:
    """Awaits a handler that counts, and then a future that the last of them completes."""
    tally = Tally()

    async def read(message: Any, ctx: None) -> None:
        tally.count()

    async def work(count: int) -> None:
        for _ in range(count // size):
            last = tally.expect(size)
            for _ in range(size):
                await read(message, None)
            await last

    return floor(work)


@asynccontextmanager
async def actor(message: Any) -> AsyncIterator[Work]:
    """Asks an actor that was written by hand."""
    one = Actor()

    async def work(count: int) -> None:
        for _ in range(count):
            await one.ask(message)

    yield work
    await one.close()
