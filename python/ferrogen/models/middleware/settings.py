"""Settings of middleware: validation, the clock, and limiters that clients share by name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar
from weakref import WeakValueDictionary

from ferrogen._core import CancellationToken
from ferrogen.exceptions import ClientSetupError

Number = TypeVar("Number", int, float)


def at_least(least: Number, **settings: Number | None) -> None:
    """Check numbers; ``None`` stands for no limit.

    Args:
        least: The smallest allowed value of each.
        settings: The numbers under the names that the user knows them by.

    Raises:
        ClientSetupError: One is too low.
    """
    for name, value in settings.items():
        if value is not None and value < least:
            raise ClientSetupError(f"{name} must be at least {least}, not {value}")


def above_zero(**settings: float | None) -> None:
    """Check numbers; ``None`` stands for no limit.

    Raises:
        ClientSetupError: One is zero or lower.
    """
    for name, value in settings.items():
        if value is not None and value <= 0:
            raise ClientSetupError(f"{name} must be above 0, not {value}")


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


class Limited(Protocol):
    """An object with a name, and limits that can be compared."""

    name: str | None

    def limits(self) -> dict[str, float | None]:
        """Return the limits by their names."""


T = TypeVar("T", bound=Limited)


class Names(Generic[T]):
    """The named objects of this process, as long as they are referenced."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._things: WeakValueDictionary[str, T] = WeakValueDictionary()

    def find(self, name: str, make: Callable[[], T]) -> T:
        """Give the thing of this name.

        Args:
            name: Its name.
            make: Makes it if there is none. It is called in any case, to compare the limits.

        Raises:
            ClientSetupError: There is one of this name with other limits.
        """
        new = make()
        thing = self._things.setdefault(name, new)
        if thing.limits() != new.limits():
            raise ClientSetupError(
                f"there is a {self._kind} {name!r} already, with {thing.limits()}; use another "
                f"name, or these limits instead of {new.limits()}"
            )
        thing.name = name
        return thing
