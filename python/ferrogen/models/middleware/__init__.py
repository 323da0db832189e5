"""Middleware for model clients: each adds one feature, and they can be nested in any order."""

from ferrogen.models.middleware.budget import Budget, Spending
from ferrogen.models.middleware.budgeted import Budgeted
from ferrogen.models.middleware.cached import Cached
from ferrogen.models.middleware.failures import TRANSIENT, FailureKind
from ferrogen.models.middleware.fallback import Fallback
from ferrogen.models.middleware.rate_limited import RateLimited
from ferrogen.models.middleware.rate_limiter import RateLimiter
from ferrogen.models.middleware.recorder import Recorder
from ferrogen.models.middleware.replay import Replay
from ferrogen.models.middleware.retrying import Retrying
from ferrogen.models.middleware.settings import Clock
from ferrogen.models.middleware.sqlite_store import SqliteCacheStore

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
