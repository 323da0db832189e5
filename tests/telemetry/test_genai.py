"""Spans of tools and agents, compared with upstream's."""

import asyncio
import importlib
from types import ModuleType
from typing import NoReturn

import autogen_core
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from tests.compat.harness import Record, same
from tests.compat.observers import RecordedSpans

import ferrogen
from ferrogen.telemetry import genai

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
    attributes.pop("gen_ai.provider.name", None)
    return (span.name, span.kind, attributes, span.status.status_code, span.status.description)


@pytest.mark.parametrize(("name", "settings"), CASES)
@pytest.mark.parametrize("error", [None, ValueError("boom"), asyncio.CancelledError()], ids=repr)
def test_spans_are_those_of_upstream(
    name: str, settings: dict[str, str], error: BaseException | None
) -> None:
    upstream = pytest.importorskip("autogen_core._telemetry")
    assert looks(run(genai, name, settings, error)) == looks(run(upstream, name, settings, error))


@pytest.fixture(autouse=True)
def no_opt_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_SEMCONV_STABILITY_OPT_IN", raising=False)


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


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("trace_tool_span", SpanKind.INTERNAL),
        ("trace_create_agent_span", SpanKind.CLIENT),
        ("trace_invoke_agent_span", SpanKind.INTERNAL),
    ],
)
@pytest.mark.parametrize(
    "wanted", ["gen_ai_latest_experimental", "http, gen_ai_latest_experimental"]
)
def test_only_the_latest_conventions_are_written_if_requested(
    name: str, kind: SpanKind, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", wanted)
    span = run(genai, name, {})
    assert span.kind is kind
    assert "gen_ai.system" not in span.attributes
    assert span.attributes["gen_ai.provider.name"] == "autogen"
    assert span.attributes.get("gen_ai.tool.type") == (
        "function" if name == "trace_tool_span" else None
    )


def test_other_requested_conventions_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database/dup")
    assert "gen_ai.system" in run(genai, "trace_invoke_agent_span", {}).attributes


def test_every_attribute_is_one_that_the_conventions_name(monkeypatch: pytest.MonkeyPatch) -> None:
    semconv = "opentelemetry.semconv"
    known = vars(importlib.import_module(f"{semconv}._incubating.attributes.gen_ai_attributes"))
    errors = vars(importlib.import_module(f"{semconv}.attributes.error_attributes"))
    names = {value for value in {**known, **errors}.values() if isinstance(value, str)}
    operations = {member.value for member in known["GenAiOperationNameValues"]}
    for wanted in ("", "gen_ai_latest_experimental"):
        monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", wanted)
        for name, settings in CASES:
            attributes = run(genai, name, settings, ValueError("boom")).attributes
            assert set(attributes) <= names
            assert attributes["gen_ai.operation.name"] in operations


def test_an_agent_that_is_being_built_is_named_as_upstream_names_it() -> None:
    async def scenario(core: ModuleType, record: Record) -> None:
        spans = RecordedSpans()
        tracer = spans.provider.get_tracer("test")

        class Agent(core.BaseAgent):
            def __init__(self) -> None:
                with core.trace_create_agent_span("greeter", tracer=tracer):
                    super().__init__("greets")

            async def on_message_impl(self, message: object, ctx: object) -> object:
                with (
                    core.trace_invoke_agent_span("greeter", tracer=tracer),
                    core.trace_tool_span("wave", tracer=tracer),
                ):
                    return message

        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "greeter", Agent)
        runtime.start()
        await runtime.send_message("hello", core.AgentId("greeter", "k"))
        await runtime.stop_when_idle()
        for span in spans.seen():
            span["attributes"].pop("gen_ai.provider.name", None)
            record(span)

    assert len(same(scenario).entries) == 3


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_no_span_is_created_without_a_tracer_provider(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> NoReturn:
        raise AssertionError("a tracer was asked for")

    monkeypatch.setattr(trace, "get_tracer_provider", trace.NoOpTracerProvider)
    monkeypatch.setattr(trace, "get_tracer", refuse)
    remote = trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=True))
    with trace.use_span(remote), getattr(genai, name)("thing") as span:
        assert span is trace.get_current_span() is remote
    with pytest.raises(ZeroDivisionError), getattr(genai, name)("thing"):
        raise ZeroDivisionError


@pytest.mark.parametrize("module", [autogen_core, ferrogen])
def test_a_block_without_sdk_does_not_write_into_the_span_around_it(module: ModuleType) -> None:
    around = TracerProvider().get_tracer("test").start_span("around")
    with trace.use_span(around), module.trace_invoke_agent_span("thing") as span:
        span.set_attribute("inside", True)
        assert not trace.get_current_span().is_recording()
        assert span.get_span_context() == around.get_span_context()
    assert "inside" not in around.attributes
