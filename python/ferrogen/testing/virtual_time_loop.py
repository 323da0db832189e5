"""An asyncio event loop with simulated time."""

from __future__ import annotations

import asyncio
import math
import selectors
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import TypeVarTuple, Unpack

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

__all__ = ["VirtualTime", "VirtualTimeLoop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START = datetime(2000, 1, 1, tzinfo=timezone.utc)
"""The date at the beginning, if none is given."""


class VirtualTime:
    """A simulated time, which an event loop reads and sets forward.

    Args:
        start: The date and time at the beginning.

    Raises:
        ValueError: The start has no time zone.
    """

    def __init__(self, start: datetime = START) -> None:
        if start.tzinfo is None:
            raise ValueError(
                f"the start of a virtual clock needs a time zone, got {start!r}: add one, for "
                "example tzinfo=timezone.utc"
            )
        self.start = start.astimezone(timezone.utc)
        self.seconds = 0.0
        self.holds = 0

    def now(self) -> datetime:
        """The simulated date and time, in UTC."""
        return self.start + timedelta(seconds=self.seconds)

    @contextmanager
    def real_time(self) -> Iterator[None]:
        """Let time pass at its real pace inside a `with` block."""
        self.holds += 1
        try:
            yield
        finally:
            self.holds -= 1


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next timer whenever nothing is ready.

    Sleeps, timeouts and timers take no real time, and fire in the order of their times. Nothing
    else about asyncio changes. While the loop waits for something outside of it, time passes at its
    real pace instead, as in any event loop: neither is a timer reached too early, nor does the loop
    spin. That is so while

    - a file descriptor is watched: an open connection or pipe, a server that listens;
    - a function runs in an executor (`asyncio.to_thread`, `run_in_executor`, look-ups of names);
    - a subprocess that asyncio started runs;
    - the program is inside `VirtualClock.real_time`, which is for everything that asyncio does not
      know of, such as a thread that will call `call_soon_threadsafe`.

    A loop of this class is also a `loop_factory`: for `asyncio.Runner`, for pytest-asyncio's hook
    `pytest_asyncio_loop_factories`, and for the fixture `anyio_backend` of anyio.

    Args:
        virtual_time: The time; a new one if left out.

    Example:
        ```python
        import asyncio

        from ferrogen.testing import VirtualTimeLoop

        loop = VirtualTimeLoop()
        loop.run_until_complete(asyncio.sleep(3600))
        assert loop.time() == 3600
        loop.close()
        ```
    """

    def __init__(self, virtual_time: VirtualTime | None = None) -> None:
        self._virtual = VirtualTime() if virtual_time is None else virtual_time
        self._jobs: set[asyncio.Future[Any]] = set()
        self._processes: set[asyncio.SubprocessTransport] = set()
        self._selecting = _JumpingSelector(self._virtual, self._is_outside_work_pending)
        super().__init__(self._selecting)
        # The loop itself watches one descriptor, by which other threads wake it.
        self._own_descriptors = len(self._selecting.get_map())

    @property
    def virtual_time(self) -> VirtualTime:
        """The simulated time."""
        return self._virtual

    def time(self) -> float:
        """The simulated time, in seconds since the start of the clock."""
        return self._virtual.seconds

    @property
    def _clock_resolution(self) -> float:
        # asyncio adds it to the time, to find the timers that are due. Late times are further apart
        # than the resolution of a real clock.
        return max(1e-9, 2 * math.ulp(self._virtual.seconds))

    @_clock_resolution.setter
    def _clock_resolution(self, value: float) -> None:
        """Ignore what asyncio sets: the resolution of a real clock."""

    def wall_time(self) -> datetime:
        """The simulated date and time, in UTC; the engine's schedules read it."""
        return self._virtual.now()

    def _is_outside_work_pending(self) -> bool:
        if self._virtual.holds or self._jobs:
            return True
        if len(self._selecting.get_map()) > self._own_descriptors:
            return True
        self._processes = {one for one in self._processes if one.get_returncode() is None}
        return bool(self._processes)

    # What the loop waits for outside of it.

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: Unpack[Ts]
    ) -> asyncio.Future[T]:
        """Run a function in an executor, and let time pass at its real pace until it has ended."""
        job = super().run_in_executor(executor, func, *args)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return job

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        """Start a subprocess, and let time pass at its real pace until it has ended."""
        with self._virtual.real_time():
            transport, protocol = await super().subprocess_exec(*args, **kwargs)
        self._processes.add(transport)
        return transport, protocol

    async def subprocess_shell(self, *args: Any, **kwargs: Any) -> Any:
        """Start a shell, and let time pass at its real pace until it has ended."""
        with self._virtual.real_time():
            transport, protocol = await super().subprocess_shell(*args, **kwargs)
        self._processes.add(transport)
        return transport, protocol

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        """Wait for the threads of the default executor, at the real pace."""
        # It waits for a thread of its own, since CPython 3.12 with a timeout.
        with self._virtual.real_time():
            await super().shutdown_default_executor(*args, **kwargs)


class _JumpingSelector(selectors.BaseSelector):
    """A selector that sets the time forward instead of waiting for the next timer.

    Args:
        virtual_time: The time.
        is_outside_work_pending: Whether to wait in real time.
    """

    def __init__(
        self, virtual_time: VirtualTime, is_outside_work_pending: Callable[[], bool]
    ) -> None:
        self._virtual = virtual_time
        self._is_outside_work_pending = is_outside_work_pending
        self._selector = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return self._selector.select(0)
        # A thread, a signal or a connection may have been faster.
        ready = self._selector.select(0)
        if ready:
            return ready
        if timeout is None or self._is_outside_work_pending():
            return self._wait(timeout)
        self._virtual.seconds += timeout
        return ready

    def _wait(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait in real time, which the simulated time follows."""
        if timeout is None and not self._is_outside_work_pending():
            return self._selector.select(None)  # until a thread or a signal wakes the loop
        before = time.monotonic()
        ready = self._selector.select(timeout)
        passed = time.monotonic() - before
        self._virtual.seconds += passed if timeout is None else min(passed, timeout)
        return ready

    def register(
        self, fileobj: FileDescriptorLike, events: int, data: Any = None
    ) -> selectors.SelectorKey:
        return self._selector.register(fileobj, events, data)

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        return self._selector.unregister(fileobj)

    def modify(
        self, fileobj: FileDescriptorLike, events: int, data: Any = None
    ) -> selectors.SelectorKey:
        return self._selector.modify(fileobj, events, data)

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        return self._selector.get_map()

    def close(self) -> None:
        self._selector.close()
