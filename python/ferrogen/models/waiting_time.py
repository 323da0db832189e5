"""The retry delay in the response of a service."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timezone
from email.utils import parsedate_to_datetime
from math import isfinite
from time import time


def waiting_time(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Read how long to wait from ``Retry-After``, in seconds or as a date, and its relatives.

    Args:
        headers: Of the response; looked up by names in lower case.
        now: Seconds since 1970; by default those of the clock.

    Returns:
        Seconds from now, not below 0; ``None`` if the service did not say, or not in words that
        can be read.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or not value:
        return seconds
    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:  # in HTTP all dates are in UTC
            date = date.replace(tzinfo=timezone.utc)
        return max(0.0, date.timestamp() - (time() if now is None else now))
    except (ValueError, OverflowError):
        return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return max(0.0, number) if isfinite(number) else None
