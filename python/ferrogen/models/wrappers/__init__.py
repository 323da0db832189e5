"""Former path of `ferrogen.models.middleware`."""

from ferrogen.models.middleware import (
    TRANSIENT,
    Budget,
    Budgeted,
    Cached,
    Clock,
    FailureKind,
    Fallback,
    RateLimited,
    RateLimiter,
    Recorder,
    Replay,
    Retrying,
    Spending,
    SqliteCacheStore,
)

__all__ = [
    "TRANSIENT",
    "Budget",
    "Budgeted",
    "Cached",
    "Clock",
    "FailureKind",
    "Fallback",
    "RateLimited",
    "RateLimiter",
    "Recorder",
    "Replay",
    "Retrying",
    "Spending",
    "SqliteCacheStore",
]
