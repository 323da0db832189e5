"""An event loop with virtual time: it jumps to the next timer when nothing is ready."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable

__all__ = ["StuckError", "VirtualLoop"]

_MOST_ITERATIONS_AT_ONE_TIME = 500_000


class StuckError(Exception):
    """The program waits for something that cannot happen any more, or does not get further."""


class _Selector(selectors.DefaultSelector):
    """Never blocks: waiting for a timer moves the clock of the loop to it."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.loop.on_iteration(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while nothing is ready.

    Args:
        every_iteration: Called in each iteration of the loop. What it raises ends the loop.
    """

    def __init__(self, every_iteration: Callable[[], None]) -> None:
        self._now = 1000.0
        self._every_iteration = every_iteration
        self._iterations_at_this_time = 0
        self.iterations = 0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """The virtual time."""
        return self._now

    def on_iteration(self, timeout: float | None) -> None:
        """Move the clock by as much as the loop would wait."""
        self.iterations += 1
        self._every_iteration()
        if timeout is None:
            raise StuckError("nothing is ready and no timer is set: a message or a waiter is lost")
        if timeout > 0:
            # Exactly the time of the timer: a sum could be a little less.
            self._now = self._scheduled[0]._when  # type: ignore[attr-defined]
            self._iterations_at_this_time = 0
            return
        self._iterations_at_this_time += 1
        if self._iterations_at_this_time > _MOST_ITERATIONS_AT_ONE_TIME:
            raise StuckError(
                f"{_MOST_ITERATIONS_AT_ONE_TIME} iterations of the event loop at one time"
            )
