"""Errors that services report in the body of a response, or in an event of a stream.

They have no common form. What is recognized: ``{"error": ...}`` with an object or a text,
``{"object": "error"}``, ``{"type": "error"}``, ``{"errors": [...]}``, MiniMax's ``base_resp``,
Baidu's ``error_msg``, ``{"detail": ...}`` of FastAPI, a ``message`` beside a ``code``, a list
with one of them, and an event called ``error`` with any data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec.json import encode

# In a stream the status was sent before the error occurred; these are what it would have been.
_STATUS_OF_KIND = {
    "invalid_request_error": 400,
    "bad_request": 400,
    "badrequesterror": 400,
    "context_length_exceeded": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "rate_limit": 429,
    "too_many_requests": 429,
    "resource_exhausted": 429,
    "api_error": 500,
    "server_error": 500,
    "servererror": 500,
    "internal_error": 500,
    "internal_server_error": 500,
    "internalservererror": 500,
    "unavailable": 503,
    "network_error": 502,
    "upstream_error": 502,
    "provider_error": 502,
    "service_unavailable": 503,
    "service_unavailable_error": 503,
    "insufficient_system_resource": 503,
    "timeout": 504,
    "timeout_error": 504,
    "deadline_exceeded": 504,
    "overloaded_error": 529,
}
_WORDS = ("message", "msg", "error_msg", "status_msg", "detail", "error", "reason", "description")
_CODES = ("code", "status", "status_code", "error_code", "http_code", "http_status")
_KINDS = ("type", "code", "status", "kind")


class ReportedError(NamedTuple):
    """An error as a service reports it."""

    reason: str
    """The words of the service."""

    status: int = 0
    """The HTTP status that it stands for; 0 if the service reports none."""


def error_in(body: Any) -> ReportedError | None:
    """Return the error that a body or an event reports; ``None`` if it reports none."""
    if isinstance(body, list):
        return error_in(body[0]) if len(body) == 1 and isinstance(body[0], dict) else None
    if not isinstance(body, dict):
        return None
    if error := body.get("error"):
        return parse_error(error, body)
    if body.get("object") == "error" or body.get("type") == "error":
        return parse_error(body)
    if (errors := body.get("errors")) and isinstance(errors, list):
        return parse_error(errors[0], body)
    base = body.get("base_resp")
    if isinstance(base, dict) and base.get("status_code") not in (None, 0, "0"):
        return parse_error(base)
    return None


def error_instead_of(body: Any) -> ReportedError | None:
    """Return the error in a body that has no part of a response, recognized by its words."""
    if not isinstance(body, dict):
        return None
    has_words = any(isinstance(body.get(name), str) and body[name] for name in _WORDS)
    return parse_error(body) if has_words or body.get("detail") else None


def parse_error(error: Any, around: Mapping[str, Any] | None = None) -> ReportedError:
    """Parse an error that a service reports.

    Args:
        error: The error in the response: an object, or anything else.
        around: The object that it stands in, which may have the status.
    """
    if not isinstance(error, dict):
        reason = error if isinstance(error, str) else _written(error)
        return ReportedError(reason, _status_of(around or {}))
    status = _status_of(error) or _status_of(around or {})
    for name in _WORDS:
        value = error.get(name)
        if isinstance(value, str) and value.strip():
            return ReportedError(value, status)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, dict) and name in ("error", "detail", "message"):
            inner = parse_error(value)
            return ReportedError(inner.reason, inner.status or status)
    return ReportedError(_written(error), status)


def _status_of(error: Mapping[str, Any]) -> int:
    for name in _CODES:
        value = error.get(name)
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if isinstance(value, int) and 400 <= value < 600:
            return value
    for name in _KINDS:
        value = error.get(name)
        if isinstance(value, str) and (status := _STATUS_OF_KIND.get(value.lower())):
            return status
    return 0


def _written(value: Any) -> str:
    return encode(value).decode()
