"""Log events of requests, on AutoGen's event logger.

Nothing is formatted unless the logger is enabled (B2).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ferrogen.logging import LLMCallEvent, LLMStreamEndEvent, LLMStreamStartEvent
from ferrogen.models.results import CreateResult
from ferrogen.telemetry.names import EVENT_LOGGER_NAME

_events = logging.getLogger(EVENT_LOGGER_NAME)


def log_call(body: Mapping[str, Any], result: CreateResult) -> None:
    """Log a request whose response was not streamed."""
    if _events.isEnabledFor(logging.INFO):
        _events.info(
            LLMCallEvent(messages=_messages(body), tools=body.get("tools", []), **_response(result))
        )


def log_stream_start(body: Mapping[str, Any]) -> None:
    """Log that the response to a request begins."""
    if _events.isEnabledFor(logging.INFO):
        _events.info(LLMStreamStartEvent(messages=_messages(body)))


def log_stream_end(result: CreateResult) -> None:
    """Log that a stream is complete."""
    if _events.isEnabledFor(logging.INFO):
        _events.info(LLMStreamEndEvent(**_response(result)))


def _messages(body: Mapping[str, Any]) -> Any:
    return body["messages"] if "messages" in body else body.get("input", [])


def _response(result: CreateResult) -> dict[str, Any]:
    return {
        "response": result.model_dump(),
        "prompt_tokens": result.usage.prompt_tokens,
        "completion_tokens": result.usage.completion_tokens,
    }
