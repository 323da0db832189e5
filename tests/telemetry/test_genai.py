"""Spans of tools and agents, compared with upstream's."""

import asyncio
from types import ModuleType

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ferrogen._telemetry import genai

CASES = [
    ("trace_tool_span", {}),
    ("trace_tool_span", {"tool_description": "adds", "tool_call_id": "1"}),
    ("trace_create_agent_span", {"agent_id": "a/k", "agent_description": "acts"}),
    ("trace_create_agent_span", {}),
    ("trace_invoke_agent_span", {"agent_id": "a/k", "agent_description": "acts"}),
    ("trace_invoke_agent_span", {}),
]


def run(
    module: ModuleType,
    name: str,
    settings: dict[str, str],
    error: BaseException | None = None,
    *,
    with_parent: bool = False,
) -> ReadableSpan:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    parent = tracer.start_span("parent") if with_parent else None
    open_span = getattr(module, name)
    if error is None:
        with open_span("thing", tracer=tracer, parent=parent, **settings):
            pass
    else:
        with (
            pytest.raises(type(error)),
            open_span("thing", tracer=tracer, parent=parent, **settings),
        ):
            raise error
    [span] = exporter.get_finished_spans()
    if parent is not None:
        assert span.parent.span_id == parent.get_span_context().span_id
    return span


def looks(span: ReadableSpan) -> tuple[object, ...]:
    attributes = dict(span.attributes)
    attributes.pop(genai.GEN_AI_PROVIDER_NAME, None)
    return (span.name, span.kind, attributes, span.status.status_code, span.status.description)


@pytest.mark.parametrize(("name", "settings"), CASES)
@pytest.mark.parametrize("error", [None, ValueError("boom"), asyncio.CancelledError()], ids=repr)
def test_spans_are_those_of_upstream(
    name: str, settings: dict[str, str], error: BaseException | None
) -> None:
    upstream = pytest.importorskip("autogen_core._telemetry")
    assert looks(run(genai, name, settings, error)) == looks(run(upstream, name, settings, error))


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_both_names_of_the_provider_are_written(name: str) -> None:
    attributes = run(genai, name, {}).attributes
    assert attributes["gen_ai.system"] == attributes["gen_ai.provider.name"] == "autogen"


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_an_exception_is_written_into_the_span_once(name: str) -> None:
    span = run(genai, name, {}, ValueError("boom"))
    assert [event.attributes["exception.message"] for event in span.events] == ["boom"]
    assert span.attributes["error.type"] == "ValueError"


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_a_given_parent_is_used(name: str) -> None:
    run(genai, name, {}, with_parent=True)
