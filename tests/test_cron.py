"""Cron expressions: what they match, compared with a naive search; what they refuse."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.runtime.schedules.cron import CronExpression

BERLIN = ZoneInfo("Europe/Berlin")
FORMAT = "%Y-%m-%d %H:%M"


def utc(text: str) -> datetime:
    return datetime.strptime(text, FORMAT).replace(tzinfo=timezone.utc)


def following(expression: str, start: str, count: int = 3) -> list[str]:
    found = []
    moment = utc(start)
    for _ in range(count):
        moment = CronExpression(expression).next_after(moment)
        found.append(moment.strftime(FORMAT))
    return found


@pytest.mark.parametrize(
    ("expression", "start", "expected"),
    [
        ("* * * * *", "2024-01-01 00:00", ["2024-01-01 00:01", "2024-01-01 00:02"]),
        ("*/15 * * * *", "2024-01-01 00:20", ["2024-01-01 00:30", "2024-01-01 00:45"]),
        ("5-20/5 3 * * *", "2024-01-01 03:14", ["2024-01-01 03:15", "2024-01-01 03:20"]),
        ("0 8-10,14 * * *", "2024-01-01 10:00", ["2024-01-01 14:00", "2024-01-02 08:00"]),
        ("30 9 * * mon-fri", "2024-01-05 09:30", ["2024-01-08 09:30", "2024-01-09 09:30"]),
        ("0 0 * * 7", "2024-01-01 00:00", ["2024-01-07 00:00", "2024-01-14 00:00"]),
        ("0 0 * * 5-7", "2024-01-01 00:00", ["2024-01-05 00:00", "2024-01-06 00:00"]),
        ("0 0 * * SUN", "2024-01-01 00:00", ["2024-01-07 00:00", "2024-01-14 00:00"]),
        ("0 12 1 JAN,jul *", "2024-01-01 12:00", ["2024-07-01 12:00", "2025-01-01 12:00"]),
        ("0 0 31 * *", "2024-01-31 00:00", ["2024-03-31 00:00", "2024-05-31 00:00"]),
        ("0 0 29 2 *", "2024-02-29 00:00", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("59 23 31 12 *", "2024-12-31 23:59", ["2025-12-31 23:59", "2026-12-31 23:59"]),
        ("@hourly", "2024-01-01 00:00", ["2024-01-01 01:00", "2024-01-01 02:00"]),
        ("@daily", "2024-02-28 00:00", ["2024-02-29 00:00", "2024-03-01 00:00"]),
        ("@weekly", "2024-01-01 00:00", ["2024-01-07 00:00", "2024-01-14 00:00"]),
        ("@monthly", "2024-01-01 00:00", ["2024-02-01 00:00", "2024-03-01 00:00"]),
        ("@yearly", "2024-01-01 00:00", ["2025-01-01 00:00", "2026-01-01 00:00"]),
        # Both days are restricted: either of them.
        ("0 0 13 * fri", "2024-01-11 00:00", ["2024-01-12 00:00", "2024-01-13 00:00"]),
        # A field that begins with * does not restrict the day: both of them.
        ("0 0 */2 * mon", "2024-01-01 00:00", ["2024-01-15 00:00", "2024-01-29 00:00"]),
        ("0 0 1 * */2", "2024-01-01 00:00", ["2024-02-01 00:00", "2024-06-01 00:00"]),
    ],
)
def test_the_times_that_match(expression: str, start: str, expected: list[str]) -> None:
    assert following(expression, start, len(expected)) == expected


def test_the_time_is_later_than_the_moment_even_within_its_minute() -> None:
    moment = utc("2024-01-01 00:00") + timedelta(seconds=59.5)
    assert CronExpression("* * * * *").next_after(moment) == utc("2024-01-01 00:01")
    assert CronExpression("0 0 * * *").next_after(utc("2024-01-01 00:00")) == utc(
        "2024-01-02 00:00"
    )


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("* * * *", r"has 4 field\(s\) instead of 5"),
        ("", r"has 0 field\(s\)"),
        ("* * * * * *", r"has 6 field\(s\)"),
        ("60 * * * *", "invalid minute, '60': it must be from 0 to 59"),
        ("* 24 * * *", "invalid hour"),
        ("* * 0 * *", "invalid day of the month"),
        ("* * * 13 *", "invalid month"),
        ("* * * * 8", "invalid day of the week"),
        ("* * * mon *", "'mon' is not a name of this field"),
        ("jan * * * *", "'jan' is not a name"),
        ("-1 * * * *", "invalid minute, '-1'"),
        ("1, * * * *", "invalid minute, ''"),
        ("20-10 * * * *", "ends before it begins"),
        ("*/0 * * * *", "step must be at least 1"),
        ("5/10 * * * *", r"a step needs a range, for example 5-59/10"),
        ("1.5 * * * *", "invalid minute"),
        ("*5 * * * *", "invalid minute"),
        ("٣ * * * *", "invalid minute"),
        ("@reboot", "has 1 field"),
        ("0 0 30 2 *", "never matches"),
        ("0 0 31 4,6,9,11 *", "never matches"),
    ],
)
def test_an_invalid_expression_is_refused(expression: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CronExpression(expression)


def local_times(expression: str, zone: ZoneInfo, start: str, count: int) -> list[str]:
    found = []
    moment = utc(start)
    for _ in range(count):
        moment = CronExpression(expression, zone).next_after(moment)
        found.append(moment.strftime(f"{FORMAT} %Z"))
    return found


def test_times_are_those_of_the_time_zone() -> None:
    assert local_times("0 9 * * *", BERLIN, "2024-03-29 12:00", 3) == [
        "2024-03-30 09:00 CET",
        "2024-03-31 09:00 CEST",
        "2024-04-01 09:00 CEST",
    ]


def test_a_skipped_time_is_replaced_by_the_first_minute_after_the_change() -> None:
    assert local_times("30 2 * * *", BERLIN, "2024-03-30 00:00", 3) == [
        "2024-03-30 02:30 CET",
        "2024-03-31 03:00 CEST",
        "2024-04-01 02:30 CEST",
    ]


def test_skipped_times_of_an_interval_are_not_made_up_for() -> None:
    assert local_times("*/20 * * * *", BERLIN, "2024-03-31 00:30", 4) == [
        "2024-03-31 01:40 CET",
        "2024-03-31 03:00 CEST",
        "2024-03-31 03:20 CEST",
        "2024-03-31 03:40 CEST",
    ]


def test_a_skipped_midnight_is_replaced() -> None:
    zone = ZoneInfo("America/Sao_Paulo")
    assert local_times("0 0 * * *", zone, "2018-11-03 12:00", 2) == [
        "2018-11-04 01:00 -02",
        "2018-11-05 00:00 -02",
    ]


def test_a_time_that_occurs_twice_matches_once() -> None:
    assert local_times("30 2 * * *", BERLIN, "2024-10-26 12:00", 2) == [
        "2024-10-27 02:30 CEST",
        "2024-10-28 02:30 CET",
    ]


@pytest.mark.parametrize("start", ["2024-03-31 00:00", "2024-10-27 00:00"])
def test_the_day_after_a_change_is_searched_from_its_beginning(start: str) -> None:
    (found,) = local_times("30 0 * * mon", BERLIN, start, 1)
    assert found[10:16] == " 00:30"
    assert found[:10] in {"2024-04-01", "2024-10-28"}


def test_an_hour_that_occurs_twice_has_its_intervals_twice() -> None:
    assert local_times("*/30 * * * *", BERLIN, "2024-10-27 00:00", 5) == [
        "2024-10-27 02:30 CEST",
        "2024-10-27 02:00 CET",
        "2024-10-27 02:30 CET",
        "2024-10-27 03:00 CET",
        "2024-10-27 03:30 CET",
    ]


def numbers(first: int, last: int) -> st.SearchStrategy[str]:
    number = st.integers(first, last)
    pair = st.tuples(number, number).map(sorted)
    return st.one_of(
        st.just("*"),
        number.map(str),
        pair.map(lambda ends: f"{ends[0]}-{ends[1]}"),
        pair.map(lambda ends: f"{ends[0]}-{ends[1]}/2"),
        st.integers(1, last).map(lambda step: f"*/{step}"),
        st.lists(number.map(str), min_size=1, max_size=3).map(",".join),
    )


def members(part: str, first: int, last: int) -> set[int]:
    """Read a field in another way than the module does: test each number."""
    found = set()
    for item in part.split(","):
        ends, _, step = item.partition("/")
        low, high = (
            (first, last) if ends == "*" else (int(ends.split("-")[0]), int(ends.split("-")[-1]))
        )
        found |= {
            n for n in range(first, last + 1) if low <= n <= high and not (n - low) % int(step or 1)
        }
    return found


@given(
    fields=st.tuples(numbers(0, 59), numbers(0, 23), numbers(1, 28), numbers(1, 12), numbers(0, 6)),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo"]),
    minutes=st.integers(0, 400 * 24 * 60),
)
def test_the_next_time_is_the_first_minute_that_matches(
    fields: tuple[str, ...], zone: str, minutes: int
) -> None:
    start = utc("2018-01-01 00:00") + timedelta(minutes=minutes)
    _, hour, day, _, weekday = fields
    sets = [
        members(part, *ends)
        for part, ends in zip(fields, ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7)), strict=True)
    ]

    def is_match(local: datetime) -> bool:
        is_day = local.day in sets[2]
        is_weekday = bool({local.isoweekday() % 7, local.isoweekday()} & sets[4])
        either = not day.startswith("*") and not weekday.startswith("*")
        return (
            local.minute in sets[0]
            and local.hour in sets[1]
            and local.month in sets[3]
            and (is_day or is_weekday if either else is_day and is_weekday)
        )

    found = CronExpression(" ".join(fields), ZoneInfo(zone)).next_after(start)
    # The naive search goes through the minutes of a few days, of which the module skips most.
    moment = start
    for _ in range(3 * 24 * 60):
        before = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        moment += timedelta(minutes=1)
        local = moment.astimezone(ZoneInfo(zone))
        gap = (local.replace(tzinfo=None) - before) // timedelta(minutes=1)
        skipped = [before + timedelta(minutes=n) for n in range(1, gap)]
        repeated = local.fold and not hour.startswith("*")
        if (is_match(local) and not repeated) or any(map(is_match, skipped)):
            assert found == moment
            return
    assert found > moment
