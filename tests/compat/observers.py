"""Observers for scenarios: structured events and spans, in a form that can be compared."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from autogen_core import EVENT_LOGGER_NAME
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@contextmanager
def logged_events() -> Iterator[list[dict[str, Any]]]:
    """Listen to the structured events, as parsed from the JSON that they render."""
    events: list[dict[str, Any]] = []

    class Listener(logging.Handler):
        def emit(self, entry: logging.LogRecord) -> None:
            facts = json.loads(entry.getMessage())
            if "payload" in facts:
                facts["payload"] = parsed(facts["payload"])
            events.append(facts)

    logger, listener = logging.getLogger(EVENT_LOGGER_NAME), Listener()
    level = logger.level
    logger.addHandler(listener)
    logger.setLevel(logging.INFO)
    try:
        yield events
    finally:
        logger.removeHandler(listener)
        logger.setLevel(level)


def parsed(text: str) -> Any:
    """Parse JSON; text that is none stays what it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def without_trace(attributes: Any) -> dict[str, Any]:
    """The attributes of an exception in a span, without those lines of code that raised it."""
    return {key: value for key, value in attributes.items() if key != "exception.stacktrace"}


class RecordedSpans:
    """A tracer provider that records the spans, and describes them without ids and times."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def seen(self) -> list[dict[str, Any]]:
        """Describe the spans by name: their order of ending is an accident, ids are random."""
        spans = self._exporter.get_finished_spans()
        names = {span.context.span_id: span.name for span in spans if span.context}
        described = [
            {
                "name": span.name,
                "kind": str(span.kind),
                "parent": names.get(span.parent.span_id) if span.parent else None,
                "links": [names.get(link.context.span_id) for link in span.links],
                "attributes": dict(span.attributes or {}),
                "status": (str(span.status.status_code), span.status.description),
                "events": [(event.name, without_trace(event.attributes)) for event in span.events],
                "scope": span.instrumentation_scope.name if span.instrumentation_scope else None,
            }
            for span in spans
        ]
        return sorted(described, key=repr)
