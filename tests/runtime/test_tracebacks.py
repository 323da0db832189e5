"""Errors that reach the log or a span have the traceback of where they were raised."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ferrogen import (
    ROOT_LOGGER_NAME,
    AgentId,
    DefaultInterventionHandler,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)

from .function_agents import Doing, echo, register

Runtime = SingleThreadedAgentRuntime


async def raises_at_once(agent: Doing, message: Any, ctx: Any) -> Any:
    raise LookupError(message)


async def raises_after_a_yield(agent: Doing, message: Any, ctx: Any) -> Any:
    await asyncio.sleep(0)
    raise LookupError(message)


async def raises_after_a_wait(agent: Doing, message: Any, ctx: Any) -> Any:
    await asyncio.sleep(0.001)
    raise LookupError(message)


class RaisingHandler(DefaultInterventionHandler):
    async def on_publish(self, message: Any, **how: Any) -> Any:
        raise LookupError(message)


class RaisingSubscription(TypeSubscription):
    def map_to_agent(self, topic_id: TopicId) -> AgentId:
        raise LookupError(topic_id)


def raising_factory() -> Any:
    raise LookupError


async def with_handler(act: Any) -> Runtime:
    runtime = Runtime()
    await register(runtime, "one", act)
    await runtime.add_subscription(TypeSubscription("news", "one"))
    return runtime


async def with_intervention_handler() -> Runtime:
    runtime = Runtime(intervention_handlers=[RaisingHandler()])
    await register(runtime, "one", echo)
    await runtime.add_subscription(TypeSubscription("news", "one"))
    return runtime


async def with_subscription() -> Runtime:
    runtime = Runtime()
    await register(runtime, "one", echo)
    await runtime.add_subscription(RaisingSubscription("news", "one"))
    return runtime


async def with_factory() -> Runtime:
    runtime = Runtime()
    await runtime.register_factory("one", raising_factory)
    await runtime.add_subscription(TypeSubscription("news", "one"))
    return runtime


HANDLERS = [raises_at_once, raises_after_a_yield, raises_after_a_wait]
PLACES: list[tuple[Callable[..., Awaitable[Runtime]], tuple[Any, ...], str]] = [
    *((with_handler, (act,), act.__name__) for act in HANDLERS),
    (with_intervention_handler, (), "on_publish"),
    (with_subscription, (), "map_to_agent"),
    (with_factory, (), "raising_factory"),
]


@pytest.mark.parametrize(("make", "how", "place"), PLACES, ids=[place for *_, place in PLACES])
async def test_the_record_of_a_failed_message_names_the_place(
    make: Any, how: tuple[Any, ...], place: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, ROOT_LOGGER_NAME)
    runtime = await make(*how)
    runtime.start()
    await runtime.publish_message("x", TopicId("news", "default"))
    await runtime.stop_when_idle()
    await runtime.close()
    record = next(record for record in caplog.records if record.levelno == logging.ERROR)
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)
    assert place in [frame.name for frame in traceback.extract_tb(record.exc_info[2])]


@pytest.mark.parametrize("way", ["sent", "published"])
@pytest.mark.parametrize("act", HANDLERS)
async def test_the_span_of_a_failed_handler_names_the_place(act: Any, way: str) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    runtime = Runtime(tracer_provider=provider)
    recipient = (await register(runtime, "one", act))()
    await runtime.add_subscription(TypeSubscription("news", "one"))
    runtime.start()
    if way == "sent":
        with pytest.raises(LookupError):
            await runtime.send_message("x", recipient)
    else:
        await runtime.publish_message("x", TopicId("news", "default"))
    await runtime.stop_when_idle()
    await runtime.close()
    events = [
        event
        for span in exporter.get_finished_spans()
        if " process " in span.name
        for event in span.events
    ]
    (event,) = events
    assert event.attributes is not None
    assert f"in {act.__name__}" in str(event.attributes["exception.stacktrace"])
