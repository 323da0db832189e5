"""Spans and log events of our runtime, recorded once and made again by a bare loop."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import autogen_core
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.trace import Link, set_span_in_context

logger = logging.getLogger(autogen_core.EVENT_LOGGER_NAME)


def dropping_provider() -> TracerProvider:
    """A tracer provider that records spans, with a processor that drops them."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SpanProcessor())
    return provider


@contextmanager
def events_logged() -> Iterator[None]:
    """Logs events to the null device; both packages use the logger of upstream's name."""
    with Path(os.devnull).open("w") as null_device, attached(logging.StreamHandler(null_device)):
        yield


@contextmanager
def attached(handler: logging.Handler) -> Iterator[None]:
    """Attaches a handler to the event logger, at the level INFO."""
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)


class EventRecorder(logging.Handler):
    """Keeps the classes and the fields of all events."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[Callable[..., Any], dict[str, Any]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        fields = {name: value for name, value in record.msg.kwargs.items() if name != "type"}
        self.events.append((type(record.msg), fields))

    def replay(self) -> None:
        """Makes the same events, and logs them."""
        info = logger.info
        for event, fields in self.events:
            info(event(**fields))


@dataclass
class RecordedSpan:
    """What a span is made of; parent and links are positions of earlier spans."""

    name: str
    kind: Any
    attributes: dict[str, Any]
    parent: int | None
    links: list[tuple[int, dict[str, Any]]]


class SpanRecorder(SpanProcessor):
    """Keeps the spans in the order in which they start and end."""

    def __init__(self) -> None:
        self._positions: dict[int, int] = {}
        self.steps: list[RecordedSpan | int] = []
        """A span that starts, or the position of one that ends."""
        self._tracer = dropping_provider().get_tracer("autogen SingleThreadedAgentRuntime")

    def clear(self) -> None:
        self._positions.clear()
        self.steps.clear()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        links = [
            (self._positions[link.context.span_id], dict(link.attributes or {}))
            for link in span.links
        ]
        parent = None if span.parent is None else self._positions[span.parent.span_id]
        self._positions[span.get_span_context().span_id] = len(self._positions)
        self.steps.append(
            RecordedSpan(span.name, span.kind, dict(span.attributes or {}), parent, links)
        )

    def on_end(self, span: ReadableSpan) -> None:
        self.steps.append(self._positions[span.get_span_context().span_id])

    def replay(self) -> None:
        """Starts and ends the same spans by the SDK's API."""
        start_span, empty = self._tracer.start_span, Context()
        spans: list[Any] = []
        for step in self.steps:
            if isinstance(step, int):
                spans[step].end()
                continue
            around = (
                empty if step.parent is None else set_span_in_context(spans[step.parent], empty)
            )
            links = [Link(spans[to].get_span_context(), more) for to, more in step.links]
            spans.append(start_span(step.name, around, step.kind, step.attributes, links))
