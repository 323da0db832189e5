"""Classification of failures, for the errors of any client.

The clients of Ferrogen raise a `ModelError`. Other clients let the errors of their SDK through;
those are recognized by the HTTP status they carry, or by their class if that library is loaded.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Collection
from typing import Literal, get_args

from ferrogen.exceptions import (
    AllClientsFailedError,
    BudgetExceededError,
    ClientSetupError,
    ModelResponseError,
    ModelStatusError,
)
from ferrogen.models.waiting_time import waiting_time

FailureKind = Literal[
    "rate_limit", "server", "timeout", "connection", "response", "refused", "budget", "other"
]
"""What went wrong: status 429; another transient status, such as 503; no response in time; no
connection; an unreadable response; a permanent error status, such as 401; a budget is spent."""

TRANSIENT: tuple[FailureKind, ...] = ("rate_limit", "server", "timeout", "connection")
"""Transient failures."""

_CLASSES: tuple[tuple[str, str, FailureKind], ...] = (
    ("openai", "APITimeoutError", "timeout"),  # each before the class it is a kind of
    ("openai", "APIConnectionError", "connection"),
    ("anthropic", "APITimeoutError", "timeout"),
    ("anthropic", "APIConnectionError", "connection"),
    ("httpx", "TimeoutException", "timeout"),
    ("httpx", "TransportError", "connection"),
    ("httpx2", "TimeoutException", "timeout"),
    ("httpx2", "TransportError", "connection"),
)
_STATUSES: dict[int, FailureKind] = {408: "timeout", 409: "server", 429: "rate_limit"}


def known_kinds(kinds: Collection[FailureKind]) -> tuple[FailureKind, ...]:
    """Return the kinds.

    Raises:
        ClientSetupError: One of them does not exist.
    """
    known = get_args(FailureKind)
    for kind in kinds:
        if kind not in known:
            raise ClientSetupError(
                f"there is no kind of failure {kind!r}; there are {', '.join(known)}"
            )
    return tuple(kinds)


def kind_of(error: BaseException) -> FailureKind:
    """Return the kind of failure of an error."""
    if isinstance(error, ModelResponseError):
        return "response"
    if isinstance(error, BudgetExceededError):
        return "budget"
    if status := status_of(error):
        return _STATUSES.get(status) or ("server" if status >= 500 else "refused")
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)):  # two classes before 3.11
        return "timeout"
    if isinstance(error, ConnectionError):
        return "connection"
    for module, name, kind in _CLASSES:
        known = getattr(sys.modules.get(module), name, None)
        if known is not None and isinstance(error, known):
            return kind
    return "other"


def is_one_of(error: Exception, kinds: Collection[FailureKind]) -> bool:
    """Return whether a failure is of one of these kinds; for a group, whether any is."""
    if isinstance(error, AllClientsFailedError):
        return any(is_one_of(each, kinds) for each in error.errors)
    return kind_of(error) in kinds


def status_of(error: BaseException) -> int:
    """Return the HTTP status that an error stands for, or 0."""
    status = error.status if isinstance(error, ModelStatusError) else None
    if status is None:
        status = getattr(error, "status_code", None)  # how the SDKs call it
    return status if isinstance(status, int) else 0


def retry_after(error: BaseException, now: float) -> float | None:
    """Return after how many seconds the service said to ask again, if it did.

    Args:
        error: The error of a client. Of several together, the soonest counts.
        now: Seconds since 1970.
    """
    if isinstance(error, AllClientsFailedError):
        delays = (retry_after(each, now) for each in error.errors)
        return min((seconds for seconds in delays if seconds is not None), default=None)
    if isinstance(error, ModelStatusError):
        return error.retry_after
    headers = getattr(getattr(error, "response", None), "headers", None)
    return None if headers is None else waiting_time(headers, now)
