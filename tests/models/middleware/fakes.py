"""What the tests of wrappers are played on: a clock set by hand, clients that wait for a sign."""

import asyncio
import heapq
from contextlib import aclosing
from itertools import count
from threading import Lock

from ferrogen.models import UserMessage
from ferrogen.models.middleware import Clock
from ferrogen.models.scripted import ScriptedClient

QUESTION = [UserMessage(content="Which way to Turin?", source="traveller")]


def asking(text):
    return [UserMessage(content=text, source="traveller")]


class ManualClock(Clock):
    """A clock that is advanced by the test; with `runs`, each waiter advances it."""

    def __init__(self, *, runs=False):
        self.now = 1_000.0
        self.waits = []
        self._runs = runs
        self._sleepers = []
        self._order = count()
        self._lock = Lock()

    def monotonic(self):
        return self.now

    def time(self):
        return self.now

    async def sleep(self, seconds):
        self.waits.append(seconds)
        if self._runs:
            with self._lock:
                self.now += seconds
            return
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), woken))
        await woken

    async def advance(self, seconds):
        """Advance, and wake the waiters whose time is reached."""
        end = self.now + seconds
        await settled()
        while self._sleepers and self._sleepers[0][0] <= end:
            self.now, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
            await settled()
        self.now = end


async def settled():
    """Let everything go on that does not wait for something outside."""
    for _ in range(50):
        await asyncio.sleep(0)


class GatedClient(ScriptedClient):
    """Goes on with a response, after so many items, when its gate is open."""

    def __init__(self, lines, *, after=0, **options):
        super().__init__(lines, **options)
        self.gate = asyncio.Event()
        self.before = 0  # how many stand before the gate
        self.broken_off = 0
        self._after = after

    async def _respond(self, request):
        number = 0
        async with aclosing(super()._respond(request)) as items:
            if not self._after:
                await self._pass(request)
            async for item in items:
                yield item
                number += 1
                if number == self._after:
                    await self._pass(request)

    async def _pass(self, request):
        self.before += 1
        waiting = asyncio.ensure_future(self.gate.wait())
        if request.cancellation_token is not None:
            request.cancellation_token.link_future(waiting)
        try:
            await waiting
        except asyncio.CancelledError:
            self.broken_off += 1
            raise
        finally:
            self.before -= 1


async def text_and_result(stream):
    *pieces, result = [item async for item in stream]
    return "".join(pieces), result
