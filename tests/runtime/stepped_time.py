"""Time that passes only when nothing else is to be done: timers fire at once, in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import pytest

T = TypeVar("T")


class SteppedTime:
    """Replaces the clock of the running event loop.

    Args:
        monkeypatch: Restores the clock at the end.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._loop: Any = asyncio.get_running_loop()
        self.start = self.now = 1000.0
        monkeypatch.setattr(self._loop, "time", lambda: self.now)

    @property
    def passed(self) -> float:
        """The seconds that have passed."""
        return round(self.now - self.start, 6)

    async def settle(self) -> None:
        """Run what can run without time passing."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Let time pass, with the timers that are due."""
        self.now += seconds
        await self.settle()

    async def run(self, work: Awaitable[T]) -> T:
        """Run something to its end; time jumps from timer to timer."""
        task = asyncio.ensure_future(work)
        while True:
            await self.settle()
            if task.done():
                return task.result()
            timers = [one.when() for one in self._loop._scheduled if not one.cancelled()]
            assert timers, "nothing is left to wait for"
            self.now = max(self.now, min(timers))
