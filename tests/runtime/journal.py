"""A journal of the spans and log records of a runtime, in order."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from tests.compat.observers import without_trace

from ferrogen import EVENT_LOGGER_NAME, ROOT_LOGGER_NAME

_GENERATED = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
"""A generated message id."""


class Journal(SpanProcessor, logging.Handler):
    """Records which spans begin and end, and what is logged in which span."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.lines: list[Any] = []
        self._names: dict[int, str] = {}

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        self._names[span.get_span_context().span_id] = span.name
        parent = span.parent and self._names[span.parent.span_id]
        self.lines.append(("begins", span.name, parent))

    def on_end(self, span: ReadableSpan) -> None:
        status = (span.status.status_code, span.status.description)
        events = [(event.name, without_trace(event.attributes)) for event in span.events]
        links = [
            (self._names[link.context.span_id], link.context.is_remote, link.context.trace_flags)
            for link in span.links
        ]
        attributes = {
            name: _GENERATED.sub("(generated)", value) if isinstance(value, str) else value
            for name, value in (span.attributes or {}).items()
        }
        self.lines.append(("ends", span.name, span.kind, attributes, status, events, links))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.levelname, record.getMessage(), self._here()))

    def _here(self) -> str | None:
        return getattr(trace.get_current_span(), "name", None)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Receive the records of the runtime's loggers."""
        loggers = [logging.getLogger(name) for name in (ROOT_LOGGER_NAME, EVENT_LOGGER_NAME)]
        before = [(logger, logger.level, logger.propagate) for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.INFO)
            logger.propagate = False
            logger.addHandler(self)
        try:
            yield
        finally:
            for logger, level, propagates in before:
                logger.removeHandler(self)
                logger.setLevel(level)
                logger.propagate = propagates
