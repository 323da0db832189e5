"""Spans around handlers that suspend, with a tracer that records."""

import asyncio
from collections import Counter

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from .scenario import Ask, until, yield_to_loop


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider
    provider.shutdown()


@pytest.fixture
def traced(scenario, provider):
    scenario.rebuild(tracer_provider=provider)
    return scenario


def operation(span):
    return span.attributes["messaging.operation"]


async def test_the_process_span_is_current_before_and_after_a_suspension(traced):
    async def handler(self, message, ctx):
        before = trace.get_current_span()
        await yield_to_loop(3)
        after = trace.get_current_span()
        assert before is after
        assert before.is_recording()
        return operation(before)

    await traced.agent("a", handler)
    traced.start()
    assert await traced.ask("a") == "process"


async def test_spans_of_a_handler_are_children_of_its_process_span(traced, provider, exporter):
    async def handler(self, message, ctx):
        tracer = provider.get_tracer("test")
        await asyncio.sleep(0)
        with tracer.start_as_current_span("inside"):
            await asyncio.sleep(0)
        return trace.get_current_span().get_span_context().span_id

    await traced.agent("a", handler)
    traced.start()
    ids = await asyncio.gather(*(traced.ask("a") for _ in range(5)))
    inside = [span for span in exporter.get_finished_spans() if span.name == "inside"]
    assert sorted(span.parent.span_id for span in inside) == sorted(ids)


async def test_the_span_of_the_caller_is_current_again_after_a_send(traced, provider):
    async def handler(self, message, ctx):
        await yield_to_loop(message.value)
        return trace.get_current_span()

    await traced.agent("a", handler)
    traced.start()
    with provider.get_tracer("test").start_as_current_span("caller") as mine:
        for suspensions in (0, 2):
            assert await traced.ask("a", suspensions) is not mine
            assert trace.get_current_span() is mine


async def test_a_handlers_error_after_a_suspension_is_recorded_in_its_span(traced, exporter):
    async def handler(self, message, ctx):
        await asyncio.sleep(0)
        raise ValueError("recorded")

    await traced.agent("a", handler)
    traced.start()
    with pytest.raises(ValueError, match="recorded"):
        await traced.ask("a")
    await yield_to_loop()
    (process,) = [s for s in exporter.get_finished_spans() if operation(s) == "process"]
    assert process.status.status_code is trace.StatusCode.ERROR
    assert [event.name for event in process.events] == ["exception"]


async def test_every_span_ends_when_handlers_wait_for_each_other(traced, exporter):
    async def leaf(self, message, ctx):
        await asyncio.sleep(0)

    async def handler(self, message, ctx):
        await self.send_message(Ask(), traced.id("leaf"))
        await asyncio.sleep(0)

    await traced.agent("leaf", leaf)
    await traced.agent("a", handler)
    traced.start()
    await asyncio.gather(*(traced.ask("a") for _ in range(3)))
    await yield_to_loop()
    counts = Counter(operation(span) for span in exporter.get_finished_spans())
    assert counts == {"create": 6, "publish": 6, "process": 6, "receive": 6}


async def test_the_process_span_of_a_publish_is_current_after_a_suspension(traced):
    seen = []

    async def handler(self, message, ctx):
        before = trace.get_current_span()
        await yield_to_loop(2)
        seen.append((before is trace.get_current_span(), operation(before)))

    for name in "ab":
        await traced.agent(name, handler, topic="t")
    traced.start()
    await traced.publish("t")
    await until(lambda: len(seen) == 2)
    assert seen == [(True, "process")] * 2


async def test_a_process_span_lasts_until_its_handler_ends(traced, exporter):
    gate = asyncio.Event()

    async def handler(self, message, ctx):
        await gate.wait()

    await traced.agent("a", handler)
    traced.start()
    asked = asyncio.ensure_future(traced.ask("a"))
    await yield_to_loop()
    assert "process" not in [operation(span) for span in exporter.get_finished_spans()]
    gate.set()
    await asked
    await yield_to_loop()
    assert "process" in [operation(span) for span in exporter.get_finished_spans()]
