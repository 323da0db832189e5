"""How long to wait is read from whatever a service says, or is not known."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from ferrogen.models.waiting_time import waiting_time


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "7", "retry-after-ms": "soon"}, 7.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_a_waiting_time_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert waiting_time(headers) == seconds


@pytest.mark.parametrize("zone", [" GMT", " -0000", ""])
def test_a_date_is_in_utc_unless_it_says_otherwise(zone: str) -> None:
    date = {"retry-after": f"Tue, 14 Nov 2023 22:14:00{zone}"}
    assert waiting_time(date, now=1_700_000_000.0) == 40.0


def test_a_date_is_a_waiting_time_from_now() -> None:
    date = datetime.now(timezone.utc) + timedelta(hours=1)
    seconds = waiting_time({"retry-after": format_datetime(date, usegmt=True)})
    assert seconds is not None
    assert 3500 < seconds <= 3600
