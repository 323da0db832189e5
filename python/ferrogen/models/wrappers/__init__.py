"""Former path of `ferrogen.models.middleware`."""

from ferrogen.models._former_paths import keep_former_paths
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

keep_former_paths(
    __name__,
    "ferrogen.models.middleware",
    {
        "request_form": "ferrogen.models.middleware.json_forms",
        "wrapper": "ferrogen.models.middleware.middleware",
    },
)
