"""Spans of streams: current inside the generator only, and ended with it."""

import logging
from contextlib import contextmanager

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ferrogen.telemetry.tracing import traced_stream


class Traces:
    def __init__(self):
        self.exporter, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = provider.get_tracer("test")

    def open(self):
        return self.tracer.start_as_current_span("stream")

    def ended(self):
        return [(span.name, len(span.events)) for span in self.exporter.get_finished_spans()]


def current():
    span = trace.get_current_span()
    return getattr(span, "name", None)


async def numbers(seen, fails=False):
    try:
        for number in range(3):
            seen.append(current())
            yield number
        if fails:
            raise ValueError("no more")
    finally:
        seen.append(("closing", current()))


async def test_the_span_is_current_in_the_generator_and_not_in_its_consumer():
    traces, inside, outside = Traces(), [], []
    async for _ in traced_stream(traces.open(), numbers(inside)):
        outside.append(current())
        assert traces.ended() == []
    assert inside == ["stream"] * 3 + [("closing", "stream")]
    assert outside == [None] * 3
    assert current() is None
    assert traces.ended() == [("stream", 0)]


async def test_an_error_is_recorded_once_and_raised():
    traces = Traces()
    with pytest.raises(ValueError, match="no more"):
        async for _ in traced_stream(traces.open(), numbers([], fails=True)):
            pass
    assert traces.ended() == [("stream", 1)]
    assert current() is None


async def test_a_consumer_that_leaves_ends_generator_and_span(caplog):
    traces, inside = Traces(), []
    stream = traced_stream(traces.open(), numbers(inside))
    await anext(stream)
    await stream.aclose()
    assert inside[-1][0] == "closing"
    assert [name for name, _ in traces.ended()] == ["stream"]
    assert caplog.records == []


async def test_interleaved_streams_have_separate_spans(caplog):
    @contextmanager
    def named(tracer, name):
        with tracer.start_as_current_span(name) as span:
            yield span

    traces, first, second = Traces(), [], []
    streams = [
        traced_stream(named(traces.tracer, "a"), numbers(first)),
        traced_stream(named(traces.tracer, "b"), numbers(second)),
    ]
    with caplog.at_level(logging.WARNING, "opentelemetry"):
        for _ in range(2):
            for stream in streams:
                await anext(stream)
        for stream in streams:  # the one that was opened first is closed first
            await stream.aclose()
    assert first[:2] == ["a", "a"]
    assert second[:2] == ["b", "b"]
    assert [name for name, _ in traces.ended()] == ["a", "b"]
    assert caplog.records == []
