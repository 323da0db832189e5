"""The times of the messages of a schedule."""

from __future__ import annotations

import asyncio
import math
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Protocol

from ferrogen.runtime.schedules.cron import CronExpression

__all__ = ["CronTimes", "IntervalTimes", "Times", "make_times"]


class Times(Protocol):
    """The times of the messages of a schedule, one after the other."""

    skipped: int
    """How many times have passed without a message."""

    def advance(self) -> None:
        """Go on to the next time that has not passed."""

    def is_due(self) -> bool:
        """Whether that time has come."""

    def wake_at(self) -> float:
        """When to ask again, in the time of the event loop."""

    def date(self) -> datetime:
        """That time as a date."""


class IntervalTimes:
    """Times at a constant distance, which delays do not shift.

    Args:
        every: The seconds from one to the next.
        delay: The seconds until the first.
    """

    def __init__(self, every: float, delay: float) -> None:
        self.skipped = 0
        self._loop = asyncio.get_running_loop()
        self._every = every
        self._first = self._loop.time() + delay
        self._number = -1

    def _due(self) -> float:
        return self._first + self._number * self._every

    def advance(self) -> None:
        """Go on to the next time that has not passed."""
        following = self._number + 1
        now = self._loop.time()
        self._number = max(following, math.floor((now - self._first) / self._every))
        if self._due() < now:
            self._number += 1
        self.skipped += self._number - following

    def is_due(self) -> bool:
        """Whether that time has come: timers of the event loop are not early."""
        return True

    def wake_at(self) -> float:
        """That time."""
        return self._due()

    def date(self) -> datetime:
        """That time as a date."""
        return wall_time() + timedelta(seconds=self._due() - self._loop.time())


class CronTimes:
    """Times that match a cron expression.

    Args:
        cron: The expression.
        delay: The seconds during which no time counts.
    """

    # The clock that shows the date can be set while a timer runs: look at it again after this time.
    _LONGEST_WAIT = 3600.0

    def __init__(self, cron: CronExpression, delay: float) -> None:
        self.skipped = 0
        self._loop = asyncio.get_running_loop()
        self._cron = cron
        self._due = wall_time() + timedelta(seconds=delay)
        self._has_begun = False

    def advance(self) -> None:
        """Go on to the next time that has not passed; a clock that is set back repeats none."""
        now = wall_time()
        following = self._cron.next_after(self._due)
        while self._has_begun and following < now:
            self.skipped += 1
            following = self._cron.next_after(following)
        self._has_begun = True
        self._due = following

    def is_due(self) -> bool:
        """Whether that time has come."""
        return wall_time() >= self._due

    def wake_at(self) -> float:
        """When to look at the clock again."""
        remaining = (self._due - wall_time()).total_seconds()
        return self._loop.time() + min(remaining, self._LONGEST_WAIT)

    def date(self) -> datetime:
        """That time, in the time zone of the expression."""
        return self._due


def wall_time() -> datetime:
    """The date and time, in UTC: that of the event loop, if it has one, as a virtual clock has."""
    read = getattr(asyncio.get_running_loop(), "wall_time", None)
    now: datetime = datetime.now(timezone.utc) if read is None else read()
    return now


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def make_times(
    every: float | None, cron: str | None, delay: float | None, zone: tzinfo
) -> IntervalTimes | CronTimes:
    """Create the times of a schedule from its options.

    Raises:
        ValueError: An option is out of range, or two contradict each other.
    """
    if not isinstance(zone, tzinfo):
        raise TypeError(f"zone must be a tzinfo, such as ZoneInfo('Europe/Berlin'); got {zone!r}")
    # Written so that NaN is rejected too.
    if delay is not None and not (_is_number(delay) and 0 <= delay < math.inf):
        raise ValueError(f"delay must be a number of seconds of at least 0, or None; got {delay!r}")
    if (every is None) == (cron is None):
        raise ValueError(
            f"a schedule needs either every or cron; got every={every!r} and cron={cron!r}"
        )
    if cron is not None:
        return CronTimes(CronExpression(cron, zone), delay or 0)
    if every is None or not (_is_number(every) and 0 < every < math.inf):
        raise ValueError(f"every must be a number of seconds greater than 0; got {every!r}")
    return IntervalTimes(every, every if delay is None else delay)
