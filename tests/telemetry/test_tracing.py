"""Spans of the runtime: names, kinds, attributes and links as upstream; none without a tracer."""

import os
import subprocess
import sys
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import (
    NoOpTracerProvider,
    SpanKind,
    get_current_span,
    set_span_in_context,
)

from ferrogen._core import AgentId
from ferrogen.messaging.topic import TopicId
from ferrogen.telemetry.propagation import EnvelopeMetadata, get_telemetry_links
from ferrogen.telemetry.tracing import TraceHelper, fail_span
from ferrogen.telemetry.tracing_config import MessageRuntimeTracingConfig

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def recording_provider() -> tuple[TracerProvider, InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter


def seen(exporter: InMemorySpanExporter) -> list[dict[str, Any]]:
    """Return what an observer sees of the spans, apart from ids and times."""
    return [
        {
            "name": span.name,
            "kind": span.kind,
            "attributes": dict(span.attributes),
            "links": [(link.context.trace_id, link.context.span_id) for link in span.links],
            "status": (span.status.status_code, span.status.description),
            "events": [(e.name, e.attributes.get("exception.type")) for e in span.events],
            "scope": span.instrumentation_scope.name,
            "has_parent": span.parent is not None,
            "ended": span.end_time is not None,
        }
        for span in exporter.get_finished_spans()
    ]


def ours() -> tuple[Any, ...]:
    return TraceHelper, MessageRuntimeTracingConfig, EnvelopeMetadata, AgentId, TopicId


def theirs() -> tuple[Any, ...]:
    core = pytest.importorskip("autogen_core")
    telemetry = pytest.importorskip("autogen_core._telemetry")
    return (
        telemetry.TraceHelper,
        telemetry.MessageRuntimeTracingConfig,
        telemetry.EnvelopeMetadata,
        core.AgentId,
        core.TopicId,
    )


def scenario(
    package: tuple[Any, ...],
    operation: str,
    destination: str,
    parent: str,
    settings: dict[str, Any],
    error: bool,
) -> list[dict[str, Any]]:
    helper, config, envelope, agent_id, topic_id = package
    places = {"agent": agent_id("a", "k"), "topic": topic_id("t", "s"), "name": "Guard", "": None}
    parents = {
        "none": None,
        "empty": envelope(),
        "envelope": envelope(traceparent=TRACEPARENT, tracestate="a=b"),
        "headers": {"traceparent": TRACEPARENT},
        "no headers": {},
    }
    provider, exporter = recording_provider()
    tracer = helper(provider, config("SingleThreadedAgentRuntime"))
    with (
        suppress(ValueError),
        tracer.trace_block("create", None, parent=None),
        tracer.trace_block(operation, places[destination], parent=parents[parent], **settings),
    ):
        if error:
            raise ValueError("boom")
    return seen(exporter)


@pytest.mark.parametrize(
    ("operation", "destination", "parent", "settings", "error"),
    [
        ("create", "agent", "none", {"extraAttributes": {"message_type": "Note"}}, False),
        ("create", "topic", "none", {"extraAttributes": {"message_size": 7}}, False),
        ("send", "agent", "envelope", {}, False),
        ("send", "agent", "empty", {}, False),
        ("publish", "topic", "headers", {}, False),
        ("process", "agent", "envelope", {"attributes": {"x": "y"}}, True),
        ("ack", "agent", "no headers", {"attributes": {"messaging.operation": "lost"}}, False),
        ("intercept", "name", "envelope", {}, True),
        ("receive", "", "none", {"kind": SpanKind.INTERNAL}, False),
        ("process", "agent", "none", {"record_exception": False}, True),
        ("process", "agent", "none", {"set_status_on_exception": False, "start_time": 5}, True),
        ("teleport", "", "none", {"end_on_exit": False}, False),
    ],
)
def test_spans_are_those_of_upstream(
    operation: str, destination: str, parent: str, settings: dict[str, Any], error: bool
) -> None:
    case = (operation, destination, parent, settings, error)
    spans = scenario(ours(), *case)
    assert spans == scenario(theirs(), *case)
    assert spans


@pytest.mark.parametrize("operation", ["create", "send", "publish", "process", "ack"])
@pytest.mark.parametrize("destination", [AgentId("a", "k"), TopicId("t", "s"), None])
@pytest.mark.parametrize("error", [None, ValueError("boom"), KeyboardInterrupt("stop")])
def test_a_span_that_is_started_by_hand_is_that_of_a_block(
    operation: Any, destination: Any, error: BaseException | None
) -> None:
    link = get_telemetry_links(EnvelopeMetadata(traceparent=TRACEPARENT))
    assert link is not None
    provider, exporter = recording_provider()
    helper = TraceHelper(provider, MessageRuntimeTracingConfig("runtime"))
    for _ in range(2):
        span = helper.start_span(operation, destination, {"x": "y"}, link=link[0])
        if error is None:
            span.end()
        else:
            fail_span(span, error)
    with (
        suppress(ValueError, KeyboardInterrupt),
        helper.trace_block(
            operation, destination, {"traceparent": TRACEPARENT}, attributes={"x": "y"}
        ),
    ):
        if error is not None:
            raise error
    with (
        suppress(ValueError, KeyboardInterrupt),
        helper.block(operation, destination, {"x": "y"}, link=link[0]) as span,
    ):
        assert get_current_span() is span
        if error is not None:
            raise error
    assert get_current_span() is not span
    by_hand, again, of_a_block, of_a_light_block = seen(exporter)
    assert by_hand == again == of_a_block == of_a_light_block


def test_a_span_is_the_child_of_the_one_in_the_context_it_is_given() -> None:
    provider, exporter = recording_provider()
    helper = TraceHelper(provider, MessageRuntimeTracingConfig("runtime"))
    parent = helper.start_span("send", None, {})
    with helper.trace_block("publish", None, parent=None):
        helper.start_span("process", None, {}, context=set_span_in_context(parent)).end()
    child, _ = exporter.get_finished_spans()
    assert child.parent == parent.get_span_context()


def test_an_exception_is_written_into_a_span_once() -> None:
    provider, exporter = recording_provider()
    helper = TraceHelper(provider, MessageRuntimeTracingConfig("runtime"))
    with pytest.raises(ValueError, match="boom"), helper.trace_block("send", None, parent=None):
        raise ValueError("boom")
    [span] = exporter.get_finished_spans()
    assert [event.name for event in span.events] == ["exception"]


def test_a_destination_of_another_kind_is_refused() -> None:
    config = MessageRuntimeTracingConfig("runtime")
    with pytest.raises(ValueError, match="the destination of a span is"):
        config.get_span_name("send", 5)


def test_a_real_provider_is_recorded_and_a_no_op_is_not() -> None:
    config = MessageRuntimeTracingConfig("runtime")
    provider, _ = recording_provider()
    assert TraceHelper(provider, config).is_recording()
    assert not TraceHelper(NoOpTracerProvider(), config).is_recording()


def test_the_environment_variable_switches_recording_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGEN_DISABLE_RUNTIME_TRACING", "true")
    provider, exporter = recording_provider()
    helper = TraceHelper(provider, MessageRuntimeTracingConfig("runtime"))
    with helper.trace_block("send", None, parent=None):
        pass
    assert not helper.is_recording()
    assert exporter.get_finished_spans() == ()


def test_a_provider_installed_globally_later_is_recorded_from_then_on() -> None:
    # In a process of its own: OpenTelemetry lets the global provider be set only once.
    program = """
from opentelemetry import trace
from ferrogen.telemetry.tracing import TraceHelper
from ferrogen.telemetry.tracing_config import MessageRuntimeTracingConfig
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

helpers = [
    TraceHelper(None, MessageRuntimeTracingConfig("runtime")),
    TraceHelper(trace.get_tracer_provider(), MessageRuntimeTracingConfig("runtime")),
]
assert not any(helper.is_recording() for helper in helpers)
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
helpers.append(TraceHelper(None, MessageRuntimeTracingConfig("runtime")))
assert all(helper.is_recording() for helper in helpers)
for helper in helpers:
    with helper.trace_block("send", None, parent=None):
        pass
assert len(exporter.get_finished_spans()) == 3
"""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "AUTOGEN_"))}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


def test_neither_the_sdk_nor_entry_points_are_loaded_by_importing_telemetry() -> None:
    program = """
import sys
import ferrogen.telemetry.tracing, ferrogen.telemetry.genai
assert not any(name.startswith("opentelemetry.sdk") for name in sys.modules)
assert "opentelemetry.propagate" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
