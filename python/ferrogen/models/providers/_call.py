"""One request of a provider, and the reader of its response."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ferrogen.logging import LLMCallEvent, LLMStreamEndEvent, LLMStreamStartEvent
from ferrogen.models.client import ToolChoice
from ferrogen.models.messages import LLMMessage
from ferrogen.models.providers._outcome import ReportedUsage
from ferrogen.models.providers._sse import ServerEvent
from ferrogen.models.providers._structured import JsonOutput
from ferrogen.models.results import CreateResult
from ferrogen.models.usage import DetailedUsage
from ferrogen.telemetry.names import EVENT_LOGGER_NAME
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema

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


@dataclass(frozen=True)
class ModelRequest:
    """The arguments of `ChatCompletionClient.create` or `create_stream`."""

    messages: Sequence[LLMMessage]
    tools: Sequence[Tool | ToolSchema]
    tool_choice: ToolChoice
    json_output: JsonOutput
    extra: Mapping[str, Any]
    stream: bool
    include_usage: bool | None = None
    """Whether the service is asked to report the usage of a stream."""


class Reader(Protocol):
    """Reads one response, event by event; a whole response is one event."""

    begun: bool
    """Whether a part of a response arrived."""

    model: str | None
    """The model that responds, as the service reports it."""

    @property
    def usage(self) -> ReportedUsage:
        """The usage reported so far."""

    @property
    def complete(self) -> bool:
        """Whether the response is complete, so that nothing more is read."""

    @property
    def ended(self) -> bool:
        """Whether the service gave a reason why the response ends."""

    def take(self, event: ServerEvent) -> list[str]:
        """Take the next event; return the text that it adds."""

    def finish(self) -> list[str]:
        """Return text that was held back, once there are no more events."""

    def text(self) -> str:
        """Return all that the model wrote."""

    def result(self, usage: DetailedUsage) -> CreateResult:
        """Make the result."""


@dataclass
class Call:
    """One request, as it is sent, with the reader of its response."""

    path: str
    """The path of the method."""

    body: dict[str, Any]
    """The body of the request."""

    reader: Reader
    """Reads the response."""

    options: dict[str, Any] = field(default_factory=dict)
    """The options beside the body: headers, query, timeout."""

    wrapper: str | None = None
    """The property of the object that had to be put around the structured output."""
