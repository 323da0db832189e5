"""Clients around clients: each adds one thing, and they go around each other in any order."""

from ferrogen.models.wrappers.budget import Budget, Spending
from ferrogen.models.wrappers.budgeted import Budgeted
from ferrogen.models.wrappers.cached import Cached
from ferrogen.models.wrappers.clock import Clock
from ferrogen.models.wrappers.failures import TRANSIENT, FailureKind
from ferrogen.models.wrappers.fallback import Fallback
from ferrogen.models.wrappers.rate_limited import RateLimited
from ferrogen.models.wrappers.rate_limiter import RateLimiter
from ferrogen.models.wrappers.recorder import Recorder
from ferrogen.models.wrappers.replay import Replay
from ferrogen.models.wrappers.retrying import Retrying
from ferrogen.models.wrappers.sqlite_store import SqliteCacheStore

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
