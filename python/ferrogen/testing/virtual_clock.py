"""A simulated clock: runs asyncio programs without waiting for their timers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractContextManager
from datetime import datetime, timezone, tzinfo
from types import TracebackType
from typing import Any, TypeVar

from typing_extensions import Self

from ferrogen.testing.virtual_time_loop import START, VirtualTime, VirtualTimeLoop

__all__ = ["VirtualClock", "run"]

T = TypeVar("T")


class VirtualClock:
    """Simulated time for tests: sleeps, timeouts and timers take no real time.

    The clock starts at 0 seconds, and jumps to the next timer whenever nothing is ready. Two runs
    of one program see the same times. Everything that asks the event loop for the time follows it:
    `asyncio.sleep`, timeouts, `call_later`, deadlines and schedules of runtimes. `time.time()` and
    `datetime.now()` do not. While the loop waits for sockets, subprocesses or threads, time passes
    at its real pace; see `VirtualTimeLoop`.

    Each call of `run` has an event loop of its own, and the time goes on from one to the next.
    Within a `with` block they share one loop, which is closed at the end.

    Args:
        start: The date and time at 0 seconds, for `now` and for cron schedules.

    Raises:
        ValueError: The start has no time zone.

    Example:
        ```python
        import asyncio

        from ferrogen.testing import VirtualClock

        clock = VirtualClock()


        async def main() -> str:
            try:
                await asyncio.wait_for(asyncio.Event().wait(), 60)
            except asyncio.TimeoutError:
                return "too late"
            return "in time"


        assert clock.run(main()) == "too late"
        assert clock.time() == 60
        ```
    """

    def __init__(self, start: datetime = START) -> None:
        self._virtual = VirtualTime(start)
        self._loop: VirtualTimeLoop | None = None

    def time(self) -> float:
        """The seconds that have passed since the start; the event loop's time."""
        return self._virtual.seconds

    def now(self, tz: tzinfo = timezone.utc) -> datetime:
        """The simulated date and time.

        Args:
            tz: The time zone of the result.
        """
        return self._virtual.now().astimezone(tz)

    def real_time(self) -> AbstractContextManager[None]:
        """Let time pass at its real pace inside a `with` block.

        For work that asyncio does not know of, such as a thread of the program's own that will call
        `call_soon_threadsafe`: a timer must not be reached before it.
        """
        return self._virtual.real_time()

    def new_event_loop(self) -> VirtualTimeLoop:
        """Return a new event loop with the time of this clock; a `loop_factory` of asyncio."""
        return VirtualTimeLoop(self._virtual)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, in simulated time; else as `asyncio.run`.

        Args:
            main: The coroutine.

        Returns:
            Its return value.

        Raises:
            RuntimeError: An event loop is running in this thread.
            BaseException: Whatever the coroutine raises.
        """
        if self._loop is not None:
            return _run_in(self._loop, main)
        with self:
            return self.run(main)

    def __enter__(self) -> Self:
        if self._loop is not None:
            raise RuntimeError("this virtual clock is in use already: create another one")
        self._loop = self.new_event_loop()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            _close(loop)


def run(main: Coroutine[Any, Any, T], *, start: datetime = START) -> T:
    """Run a coroutine in simulated time: `asyncio.run` without waiting for timers.

    Args:
        main: The coroutine.
        start: The date and time at the beginning.

    Returns:
        Its return value.

    Raises:
        RuntimeError: An event loop is running in this thread.
        ValueError: The start has no time zone.
        BaseException: Whatever the coroutine raises.

    Example:
        ```python
        import asyncio

        from ferrogen import testing


        async def main() -> float:
            await asyncio.sleep(3600)
            return asyncio.get_running_loop().time()


        assert testing.run(main()) == 3600
        ```
    """
    return VirtualClock(start).run(main)


def _run_in(loop: VirtualTimeLoop, main: Coroutine[Any, Any, T]) -> T:
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        main.close()
        raise RuntimeError(
            f"a virtual clock cannot run inside a running event loop ({running!r}): call it from "
            "code that is not async"
        )
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main)
    finally:
        asyncio.set_event_loop(None)


def _close(loop: VirtualTimeLoop) -> None:
    try:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            _run_in(loop, _ended(tasks))
        for task in tasks:
            if not task.cancelled() and task.exception() is not None:
                loop.call_exception_handler(
                    {
                        "message": "unhandled exception while a virtual clock was closed",
                        "exception": task.exception(),
                        "task": task,
                    }
                )
        _run_in(loop, loop.shutdown_asyncgens())
        _run_in(loop, loop.shutdown_default_executor())
    finally:
        loop.close()


async def _ended(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.wait(tasks)
