"""Listeners are notified of each request; without listeners, nothing is computed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ferrogen import (
    EVENT_LOGGER_NAME,
    AgentId,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    message_handler,
)
from ferrogen.exceptions import ModelRateLimitError
from ferrogen.logging import LLMCallEvent, LLMStreamEndEvent, LLMStreamStartEvent
from ferrogen.models import UserMessage
from ferrogen.models.openai import OpenAIChatCompletionClient
from ferrogen.models.usage import UsageLedger

from ..scripted_server import ScriptedServer, json_response, sse_response
from .responses import HELLO, USAGE_CHUNK, piece, streamed, whole

MakeClient = Callable[..., OpenAIChatCompletionClient]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", provider)
    yield exporter
    provider.shutdown()


async def test_a_call_is_logged_as_a_whole(
    server: ScriptedServer, client: OpenAIChatCompletionClient, caplog: pytest.LogCaptureFixture
) -> None:
    server.play(json_response(whole("ciao")))
    with caplog.at_level(logging.INFO, EVENT_LOGGER_NAME):
        await client.create(HELLO, tools=[{"name": "look"}])
    [record] = caplog.records
    event: Any = record.msg
    assert isinstance(event, LLMCallEvent)
    assert (event.prompt_tokens, event.completion_tokens) == (9, 4)
    assert event.kwargs["messages"][0]["content"] == "hello"
    assert event.kwargs["response"]["content"] == "ciao"
    assert event.kwargs["tools"][0]["function"]["name"] == "look"


async def test_a_stream_is_logged_when_it_begins_and_when_it_ends(
    server: ScriptedServer, client: OpenAIChatCompletionClient, caplog: pytest.LogCaptureFixture
) -> None:
    server.play(sse_response(piece("ciao", "stop"), USAGE_CHUNK))
    with caplog.at_level(logging.INFO, EVENT_LOGGER_NAME):
        await streamed(client)
    begun, ended = (record.msg for record in caplog.records)
    assert isinstance(begun, LLMStreamStartEvent)
    assert isinstance(ended, LLMStreamEndEvent)
    assert ended.kwargs["response"]["content"] == "ciao"
    assert (ended.prompt_tokens, ended.completion_tokens) == (9, 4)


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_span_has_the_server_and_the_usage(
    server: ScriptedServer,
    client: OpenAIChatCompletionClient,
    spans: InMemorySpanExporter,
    streaming: bool,
) -> None:
    if streaming:
        server.play(sse_response(piece("ciao", "stop"), USAGE_CHUNK))
        await streamed(client)
    else:
        server.play(json_response(whole("ciao")))
        await client.create(HELLO)
    [span] = spans.get_finished_spans()
    assert (span.name, span.kind) == ("chat gpt-4o", trace.SpanKind.CLIENT)
    assert span.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.output_tokens": 4,
    }


async def test_the_latest_conventions_can_be_requested(
    server: ScriptedServer,
    client: OpenAIChatCompletionClient,
    spans: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental")
    server.play(json_response(whole("ciao")))
    await client.create(HELLO)
    [span] = spans.get_finished_spans()
    assert span.attributes is not None
    assert "gen_ai.system" not in span.attributes


async def test_a_span_records_a_failure(
    server: ScriptedServer, client: OpenAIChatCompletionClient, spans: InMemorySpanExporter
) -> None:
    server.play(json_response({}, 429))
    with pytest.raises(ModelRateLimitError):
        await client.create(HELLO)
    [span] = spans.get_finished_spans()
    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == "ModelRateLimitError"
    assert [event.name for event in span.events] == ["exception"]


async def test_a_stream_leaves_the_span_of_its_reader_the_current_one(
    server: ScriptedServer, client: OpenAIChatCompletionClient, spans: InMemorySpanExporter
) -> None:
    server.play(sse_response(piece("ciao", "stop")))
    with trace.get_tracer("reader").start_as_current_span("reading") as reading:
        async for _ in client.create_stream(HELLO):
            assert trace.get_current_span() is reading
    chat, outer = spans.get_finished_spans()
    assert chat.parent is not None
    assert outer.context is not None
    assert chat.parent.span_id == outer.context.span_id


async def test_no_event_or_span_is_created_without_a_listener(
    server: ScriptedServer, client: OpenAIChatCompletionClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unwanted(*given: Any, **named: Any) -> Any:
        raise AssertionError("there are no listeners")

    module = "ferrogen.models.providers._call"
    for name in ("LLMCallEvent", "LLMStreamStartEvent", "LLMStreamEndEvent"):
        monkeypatch.setattr(f"{module}.{name}", unwanted)
    monkeypatch.setattr("opentelemetry.trace.get_tracer", unwanted)
    server.play(json_response(whole("ciao")), sse_response(piece("ciao", "stop")))
    await client.create(HELLO)
    await streamed(client)


async def test_usage_is_recorded_under_the_agent_that_asks_and_clients_may_share_a_ledger(
    server: ScriptedServer, client_of: MakeClient
) -> None:
    ledger = UsageLedger()
    clients = [client_of(ledger=ledger), client_of(model="gpt-4o-mini", ledger=ledger)]
    server.play(json_response(whole("a")), sse_response(piece("b", "stop"), USAGE_CHUNK))

    class Guide(RoutedAgent):
        @message_handler
        async def on_question(self, message: UserMessage, ctx: MessageContext) -> None:
            await clients[0].create([message])
            async for _ in clients[1].create_stream([message]):
                pass

    runtime = SingleThreadedAgentRuntime()
    await Guide.register(runtime, "guide", lambda: Guide("asks"))
    runtime.start()
    await runtime.send_message(HELLO[0], AgentId("guide", "tour"))
    await runtime.stop_when_idle()
    assert ledger.of_agent("guide/tour").prompt_tokens == 18
    assert ledger.of_conversation("tour").completion_tokens == 8
    assert ledger.total.cost == pytest.approx((9 * 2.65 + 4 * 10.6) / 1e6)
