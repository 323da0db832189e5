"""Rate limiter for requests and tokens."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from weakref import WeakKeyDictionary

from ferrogen._core import CancellationToken
from ferrogen.models.middleware.settings import Clock, Names, at_least

_MINUTE = 60.0


@dataclass(eq=False)
class Passage:
    """A request that was let through: when, and how many tokens it takes as far as is known."""

    at: float
    tokens: int


class RateLimiter:
    """Limits requests and tokens in any period of a minute.

    Requests start in the order of arrival: a small one does not overtake a large one. A
    request of more tokens than a minute has waits until nothing of the last minute counts.
    Clients in several threads may share it; then the order is kept among those of each.

    Args:
        requests_per_minute: How many requests; ``None`` for any number.
        tokens_per_minute: How many tokens, prompts and responses together; ``None`` for any number.
        clock: The source of time and delays.

    Raises:
        ClientSetupError: A number is below 1.

    Example:
        ```python
        from ferrogen.models.middleware import RateLimiter

        account = RateLimiter.named("our-account", requests_per_minute=500)
        assert RateLimiter.named("our-account", requests_per_minute=500) is account
        ```
    """

    __module__ = "ferrogen.models.middleware"

    def __init__(
        self,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        at_least(1, requests_per_minute=requests_per_minute, tokens_per_minute=tokens_per_minute)
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute
        self.name: str | None = None
        self._clock = clock or Clock()
        self._passages: OrderedDict[Passage, None] = OrderedDict()  # the oldest first
        self._tokens = 0  # of all passages
        self._lock = Lock()
        # A limiter can outlive the event loop in which it was first used, a lock cannot.
        self._doors: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            WeakKeyDictionary()
        )
        self._waiting: set[asyncio.Task[None]] = set()

    @classmethod
    def named(
        cls,
        name: str,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
    ) -> RateLimiter:
        """Give the limiter of this name, which all clients of a process share; made when asked for.

        It exists as long as it is referenced.

        Raises:
            ClientSetupError: There is one of this name with other limits.
        """
        return _names.find(
            name,
            lambda: cls(
                requests_per_minute=requests_per_minute, tokens_per_minute=tokens_per_minute
            ),
        )

    def limits(self) -> dict[str, float | None]:
        """Return the limits by their names."""
        return {
            "requests_per_minute": self.requests_per_minute,
            "tokens_per_minute": self.tokens_per_minute,
        }

    async def enter(self, tokens: int, token: CancellationToken | None = None) -> Passage:
        """Wait for a turn, and take it.

        Args:
            tokens: The estimated tokens of the request.
            token: Ends the wait when it is cancelled.

        Returns:
            The argument for `correct` when the usage is known.

        Raises:
            asyncio.CancelledError: The token was cancelled.
        """
        entering = asyncio.ensure_future(self._enter(tokens))
        try:
            return await (entering if token is None else token.link_future(entering))
        except asyncio.CancelledError:
            if entering.done() and not entering.cancelled():  # cancelled just behind the door
                self.withdraw(entering.result())
            raise

    async def _enter(self, tokens: int) -> Passage:
        door = self._doors.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with door:  # which is passed in the order of coming
            while True:
                with self._lock:
                    delay = self._delay(tokens)
                    if delay <= 0:
                        passage = Passage(self._clock.monotonic(), tokens)
                        self._passages[passage] = None
                        self._tokens += tokens
                        return passage
                await self._wait(delay)

    async def _wait(self, seconds: float) -> None:
        """Wait so long, or until something was corrected."""
        waiting = asyncio.ensure_future(self._clock.sleep(seconds))
        self._waiting.add(waiting)
        try:
            await asyncio.wait([waiting])
        finally:
            self._waiting.remove(waiting)
            waiting.cancel()

    def correct(self, passage: Passage, tokens: int) -> None:
        """Say what a request really took, which lets others through earlier or later."""
        with self._lock:
            if passage in self._passages:
                self._tokens += tokens - passage.tokens
            passage.tokens = tokens
        self._look_again()

    def withdraw(self, passage: Passage) -> None:
        """Say that a request never reached the service."""
        with self._lock, suppress(KeyError):  # it is a minute ago
            del self._passages[passage]
            self._tokens -= passage.tokens
        self._look_again()

    def _look_again(self) -> None:
        """Wake the waiters of each event loop, also those in other threads."""
        for waiting in list(self._waiting):
            with suppress(RuntimeError):  # its event loop was closed, so there are no waiters
                waiting.get_loop().call_soon_threadsafe(waiting.cancel)

    def _delay(self, tokens: int) -> float:
        """Return the seconds until so many tokens may pass, if nothing is corrected meanwhile."""
        now = self._clock.monotonic()
        while self._passages and next(iter(self._passages)).at + _MINUTE <= now:
            self._tokens -= self._passages.popitem(last=False)[0].tokens
        requests, used, then = len(self._passages), self._tokens, now
        for passage in self._passages:
            if self._has_room(requests, used + tokens):
                break
            requests, used, then = requests - 1, used - passage.tokens, passage.at + _MINUTE
        return then - now

    def _has_room(self, requests: int, tokens: int) -> bool:
        most_requests, most_tokens = self.requests_per_minute, self.tokens_per_minute
        return (most_requests is None or requests < most_requests) and (
            most_tokens is None or tokens <= most_tokens
        )


_names: Names[RateLimiter] = Names("rate limiter")
