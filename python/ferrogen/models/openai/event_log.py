"""Log events of requests, on AutoGen's event logger.

Nothing is put together while nobody does (B2).
"""

from __future__ import annotations

import logging

from ferrogen._telemetry.loggers import EVENT_LOGGER_NAME
from ferrogen.logging import LLMCallEvent, LLMStreamEndEvent, LLMStreamStartEvent
from ferrogen.models.openai.request import WireRequest
from ferrogen.models.results import CreateResult

_events = logging.getLogger(EVENT_LOGGER_NAME)


def log_call(request: WireRequest, result: CreateResult) -> None:
    """Tell of a request that was answered as a whole."""
    if _events.isEnabledFor(logging.INFO):
        _events.info(
            LLMCallEvent(
                messages=request.body["messages"],
                response=result.model_dump(),
                prompt_tokens=result.usage.prompt_tokens,
                completion_tokens=result.usage.completion_tokens,
                tools=request.body.get("tools", []),
            )
        )


def log_stream_start(request: WireRequest) -> None:
    """Tell of a stream that begins."""
    if _events.isEnabledFor(logging.INFO):
        _events.info(LLMStreamStartEvent(messages=request.body["messages"]))


def log_stream_end(result: CreateResult) -> None:
    """Tell of a stream that has come to its end."""
    if _events.isEnabledFor(logging.INFO):
        _events.info(
            LLMStreamEndEvent(
                response=result.model_dump(),
                prompt_tokens=result.usage.prompt_tokens,
                completion_tokens=result.usage.completion_tokens,
            )
        )
