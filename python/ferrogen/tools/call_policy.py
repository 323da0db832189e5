"""Limits of the calls of one tool: time, repetitions, concurrency, and a cache."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from weakref import WeakKeyDictionary

from typing_extensions import TypedDict

from ferrogen._core import CancellationToken
from ferrogen.components.cache_store import CacheStore
from ferrogen.exceptions import ToolCancelledError, ToolTimeoutError
from ferrogen.tools.argument_errors import ToolArgumentsError
from ferrogen.tools.cancellation import end_of, value_of
from ferrogen.tools.guarding.errors import ToolRefusedError

_MISSING: Any = object()
_Loops = WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]


Isolation = Literal["thread", "process"]


class CallLimits(TypedDict, total=False):
    """The arguments of a tool that limit its calls."""

    timeout: float | None
    retries: int
    retry_delay: float
    concurrency: int | None
    cache: CacheStore[Any] | None


class CallOptions(CallLimits, total=False):
    """The arguments of a tool that limit its calls, and say where its function runs."""

    isolation: Isolation


@dataclass(frozen=True)
class CallPolicy:
    """Limits of the calls of one tool.

    Args:
        timeout: The most seconds that one attempt may take.
        retries: How often a call is repeated after an error.
        retry_delay: The seconds before the first repetition; each further one waits twice as long.
        concurrency: The most calls that run at the same time, in one event loop.
        cache: Where results are kept by the arguments. Errors are not kept.

    Raises:
        ValueError: A limit is not positive, or a number of repetitions or seconds is negative.
    """

    timeout: float | None = None
    retries: int = 0
    retry_delay: float = 0.0
    concurrency: int | None = None
    cache: CacheStore[Any] | None = None
    _slots: _Loops = field(default_factory=WeakKeyDictionary, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.timeout is not None and self.timeout <= 0:
            raise ValueError(f"timeout is {self.timeout}; give seconds above 0, or None")
        if self.concurrency is not None and self.concurrency < 1:
            raise ValueError(f"concurrency is {self.concurrency}; give a number above 0, or None")
        if self.retries < 0 or self.retry_delay < 0:
            raise ValueError(
                f"retries is {self.retries} and retry_delay is {self.retry_delay};"
                " neither can be negative"
            )

    @property
    def limits_nothing(self) -> bool:
        """Whether calls need not pass here."""
        return self == CallPolicy()

    async def apply(
        self, call: Callable[[], Awaitable[Any]], key: str, token: CancellationToken
    ) -> Any:
        """Make a call within the limits.

        Args:
            call: Makes one attempt.
            key: The tool and the arguments, for the cache.
            token: Cancels the call, also while it waits.

        Raises:
            ToolTimeoutError: The last attempt took too long.
            Exception: The last attempt failed.
        """
        if self.cache is not None:
            known = self.cache.get(key, _MISSING)
            if known is not _MISSING:
                return known
        async with self._slot(token):
            value = await self._repeated(call, token)
        if self.cache is not None:
            self.cache.set(key, value)
        return value

    async def _repeated(self, call: Callable[[], Awaitable[Any]], token: CancellationToken) -> Any:
        for attempt in range(self.retries):
            try:
                return await self._timed(call)
            except (ToolCancelledError, ToolRefusedError, ToolArgumentsError):
                raise  # it would be the same again
            except Exception:  # noqa: BLE001 - the last attempt raises
                delay = self.retry_delay * 2**attempt
            await value_of(asyncio.ensure_future(asyncio.sleep(delay)), token)
        return await self._timed(call)

    async def _timed(self, call: Callable[[], Awaitable[Any]]) -> Any:
        if self.timeout is None:
            return await call()
        attempt = asyncio.ensure_future(call())
        try:
            done, _ = await asyncio.wait({attempt}, timeout=self.timeout)
        finally:
            await end_of(attempt)
        if done:
            return attempt.result()
        raise ToolTimeoutError(f"the call took longer than {self.timeout} seconds")

    @asynccontextmanager
    async def _slot(self, token: CancellationToken) -> AsyncGenerator[None, None]:
        if self.concurrency is None:
            yield
            return
        loop = asyncio.get_running_loop()
        slots = self._slots.setdefault(loop, asyncio.Semaphore(self.concurrency))
        entering = asyncio.ensure_future(slots.acquire())
        try:
            await value_of(entering, token)
        except BaseException:
            if not entering.cancelled():
                slots.release()
            raise
        try:
            yield
        finally:
            slots.release()
