"""Cron expressions: five fields, and the next time that matches them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from typing import NamedTuple

__all__ = ["CronExpression"]

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ITEM = re.compile(r"(?:(\*)|([0-9]+|[a-z]{3})(?:-([0-9]+|[a-z]{3}))?)(?:/([0-9]+))?", re.ASCII)
_MOST_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MINUTE = timedelta(minutes=1)


class _Field(NamedTuple):
    name: str
    first: int
    last: int
    words: Mapping[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of the month", 1, 31, {}),
    _Field("month", 1, 12, {word: number for number, word in enumerate(_MONTHS, start=1)}),
    _Field("day of the week", 0, 7, {word: number for number, word in enumerate(_DAYS)}),
)


class CronExpression:
    """A cron expression: minute, hour, day of the month, month, day of the week.

    A field is a list, separated by commas, of numbers, ranges (`8-17`), steps through a range
    (`8-17/2`), `*` for all, and steps through all (`*/15`). Months and days of the week can be
    names of three letters. Sunday is 0 and 7. `@hourly`, `@daily`, `@weekly`, `@monthly` and
    `@yearly` stand for five fields.

    As in Vixie cron, a day matches if both its fields match. But if neither of them begins with
    `*`, it matches if one of them does: `0 0 13 * fri` is every 13th and every Friday.

    A time that is skipped when the clocks go forward is replaced by the first minute after the
    change. A time that occurs twice when they go back matches once, the first time, unless the hour
    begins with `*`.

    Args:
        text: The expression.
        zone: The time zone of its times.

    Raises:
        ValueError: The expression is invalid, or no date ever matches it.
    """

    def __init__(self, text: str, zone: tzinfo = timezone.utc) -> None:
        self.text = text
        self.zone = zone
        lowered = text.strip().lower()
        parts = _NICKNAMES.get(lowered, lowered).split()
        if len(parts) != len(_FIELDS):
            raise ValueError(
                f"cron expression {text!r} has {len(parts)} field(s) instead of 5: minute, hour, "
                "day of the month, month, day of the week"
            )
        sets = [self._read(part, field) for part, field in zip(parts, _FIELDS, strict=True)]
        self._minutes, self._hours, self._days, self._months, weekdays = sets
        self._weekdays = frozenset(day % 7 for day in weekdays)
        self._is_every_hour = parts[1].startswith("*")
        self._is_either_day = not (parts[2].startswith("*") or parts[4].startswith("*"))
        most_days = max(_MOST_DAYS[month - 1] for month in self._months)
        if not self._is_either_day and min(self._days) > most_days:
            raise ValueError(
                f"cron expression {text!r} never matches: none of its months has such a day"
            )

    def _read(self, part: str, field: _Field) -> frozenset[int]:
        values: set[int] = set()
        for item in part.split(","):
            match = _ITEM.fullmatch(item)
            if match is None:
                raise self._invalid(item, field, "it is not a number, a range, a name or *")
            star, first_text, last_text, step_text = match.groups()
            if star:
                first, last = field.first, field.last
            else:
                first = self._number(first_text, item, field)
                last = first if last_text is None else self._number(last_text, item, field)
                if step_text is not None and last_text is None:
                    reason = (
                        f"a step needs a range, for example {first_text}-{field.last}/{step_text}"
                    )
                    raise self._invalid(item, field, reason)
            step = 1 if step_text is None else int(step_text)
            if step < 1:
                raise self._invalid(item, field, "the step must be at least 1")
            if first > last:
                raise self._invalid(item, field, "the range ends before it begins")
            values.update(range(first, last + 1, step))
        return frozenset(values)

    def _number(self, text: str, item: str, field: _Field) -> int:
        if text.isdigit():
            number = int(text)
        elif text in field.words:
            number = field.words[text]
        else:
            raise self._invalid(item, field, f"{text!r} is not a name of this field")
        if not field.first <= number <= field.last:
            raise self._invalid(item, field, f"it must be from {field.first} to {field.last}")
        return number

    def _invalid(self, item: str, field: _Field, reason: str) -> ValueError:
        return ValueError(
            f"cron expression {self.text!r} has an invalid {field.name}, {item!r}: {reason}"
        )

    def next_after(self, moment: datetime) -> datetime:
        """Return the first time after a moment that matches.

        Args:
            moment: The moment, with a time zone.

        Returns:
            The time, a whole minute, in the time zone of the expression.
        """
        now = moment.astimezone(timezone.utc).replace(second=0, microsecond=0) + _MINUTE
        while True:
            local = now.astimezone(self.zone)
            if self._is_after_gap(now, local) or self._matches(local):
                return local
            now = self._skip(now, local)

    def _matches(self, local: datetime) -> bool:
        return (
            local.minute in self._minutes
            and local.hour in self._hours
            and self._matches_day(local)
            and (not local.fold or self._is_every_hour)
        )

    def _matches_day(self, local: datetime) -> bool:
        if local.month not in self._months:
            return False
        is_day = local.day in self._days
        is_weekday = local.isoweekday() % 7 in self._weekdays
        return is_day or is_weekday if self._is_either_day else is_day and is_weekday

    def _is_after_gap(self, now: datetime, local: datetime) -> bool:
        """Whether the clocks have just gone forward, over a time that matches."""
        skipped = (now - _MINUTE).astimezone(self.zone).replace(tzinfo=None) + _MINUTE
        end = local.replace(tzinfo=None)
        while skipped < end:
            if self._matches(skipped):
                return True
            skipped += _MINUTE
        return False

    def _skip(self, now: datetime, local: datetime) -> datetime:
        """Return the next moment that can match, after one that does not."""
        if not self._matches_day(local):
            ahead = timedelta(hours=24 - local.hour, minutes=-local.minute)
        elif local.hour not in self._hours:
            ahead = timedelta(minutes=60 - local.minute)
        else:
            return now + _MINUTE
        later = now + ahead
        if later.astimezone(self.zone).utcoffset() == local.utcoffset():
            return later
        # The clocks change on the way, and only then every minute is looked at.
        return now + _MINUTE
