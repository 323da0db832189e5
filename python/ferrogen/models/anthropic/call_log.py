"""Log events of requests."""

from __future__ import annotations

import logging
from typing import Any

from ferrogen._telemetry.loggers import EVENT_LOGGER_NAME
from ferrogen.logging import LLMCallEvent, LLMStreamEndEvent, LLMStreamStartEvent
from ferrogen.models.anthropic.events import Message
from ferrogen.models.anthropic.request import Request
from ferrogen.models.results import CreateResult

_logger = logging.getLogger(EVENT_LOGGER_NAME)

# Nothing is written down unless somebody listens (B2).


def log_call(request: Request, message: Message, result: CreateResult) -> None:
    """Log a request that was answered in full."""
    if _logger.isEnabledFor(logging.INFO):
        _logger.info(LLMCallEvent(messages=request.body["messages"], **_answer(message, result)))


def log_start(request: Request) -> None:
    """Log that the answer to a request begins to come."""
    if _logger.isEnabledFor(logging.INFO):
        _logger.info(LLMStreamStartEvent(messages=request.body["messages"]))


def log_end(message: Message, result: CreateResult) -> None:
    """Log an answer that has come to its end."""
    if _logger.isEnabledFor(logging.INFO):
        _logger.info(LLMStreamEndEvent(**_answer(message, result)))


def _answer(message: Message, result: CreateResult) -> dict[str, Any]:
    return {
        "response": {**result.model_dump(), "stop_reason": message.stop_reason},
        "prompt_tokens": result.usage.prompt_tokens,
        "completion_tokens": result.usage.completion_tokens,
    }
