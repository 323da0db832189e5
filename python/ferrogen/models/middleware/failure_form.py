"""JSON form of a failure, which is read as an error of Ferrogen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ferrogen import exceptions
from ferrogen.exceptions import (
    ModelConnectionError,
    ModelError,
    ModelRateLimitError,
    ModelStatusError,
    ModelTimeoutError,
)
from ferrogen.models.middleware.failures import FailureKind, kind_of, retry_after, status_of

_OURS = ModelError.__module__
_KINDS: Mapping[FailureKind, type[ModelError]] = {
    "rate_limit": ModelRateLimitError,
    "server": ModelStatusError,
    "refused": ModelStatusError,
    "timeout": ModelTimeoutError,
    "connection": ModelConnectionError,
}


def written_failure(error: Exception, now: float) -> dict[str, Any] | None:
    """Write a failure as JSON values; ``None`` if it is not a failure of a model.

    Errors of an SDK, and of a client on one, are written as the error of ours that means the same.

    Args:
        error: The error of the client.
        now: Seconds since 1970.
    """
    kind = _KINDS.get(kind_of(error))
    if isinstance(error, ModelError):  # perhaps a kind of it that a client has made for itself
        kind = next(each for each in type(error).__mro__ if each.__module__ == _OURS)
    if kind is None:
        return None
    form: dict[str, Any] = {"type": kind.__name__, "message": str(error)}
    if issubclass(kind, ModelStatusError):
        form["status"] = status_of(error)
        form["retry_after"] = retry_after(error, now)
    return form


def read_failure(form: Mapping[str, Any]) -> ModelError:
    """Read what `written_failure` wrote.

    Raises:
        KeyError: A part is missing.
        ValueError: It is not an error of a model.
    """
    kind = getattr(exceptions, form["type"], None)
    if not (isinstance(kind, type) and issubclass(kind, ModelError)):
        raise ValueError(f"{form['type']!r} is not an error of a model")
    if issubclass(kind, ModelStatusError):
        return kind(form["message"], status=form["status"], retry_after=form["retry_after"])
    return kind(form["message"])
