"""The clock of middleware, which tests can replace."""

from __future__ import annotations

import asyncio
import time

from ferrogen._core import CancellationToken


class Clock:
    """The time of middleware; a test subclasses it and does not have to wait.

    Example:
        ```python
        from ferrogen.models.middleware import Clock


        class Impatient(Clock):
            async def sleep(self, seconds: float) -> None:
                print(f"would have waited {seconds} seconds")
        ```
    """

    __module__ = "ferrogen.models.middleware"

    def monotonic(self) -> float:
        """Return seconds that never go back, for spans of time."""
        return time.monotonic()

    def time(self) -> float:
        """Return seconds since 1970, for what outlives the process."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


async def pause(clock: Clock, seconds: float, token: CancellationToken | None) -> None:
    """Wait, until then or until the token is cancelled.

    Raises:
        asyncio.CancelledError: The token was cancelled.
    """
    waiting = asyncio.ensure_future(clock.sleep(seconds))
    await (waiting if token is None else token.link_future(waiting))
