"""Scenarios with intervention handlers, a recording tracer and the event log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

from _agents_and_messages import Request
from _measure import Work
from _recorded_telemetry import (
    EventRecorder,
    SpanRecorder,
    attached,
    dropping_provider,
    events_logged,
)
from _scenarios import send
from opentelemetry.sdk.trace import TracerProvider

import ferrogen


def intervention_handler(core: ModuleType, kind: str) -> Any:
    """An intervention handler of one package.

    Args:
        core: The package.
        kind: `inherited` has the methods of `DefaultInterventionHandler`, `overridden` methods of
            its own that do not suspend, `suspending` methods that do.
    """

    class Inherited(core.DefaultInterventionHandler):
        pass

    class Overridden(core.DefaultInterventionHandler):
        async def on_send(self, message: Any, *, message_context: Any, recipient: Any) -> Any:
            return message

        async def on_publish(self, message: Any, *, message_context: Any) -> Any:
            return message

        async def on_response(self, message: Any, *, sender: Any, recipient: Any) -> Any:
            return message

    class Suspending(core.DefaultInterventionHandler):
        async def on_send(self, message: Any, *, message_context: Any, recipient: Any) -> Any:
            await asyncio.sleep(0)
            return message

        async def on_response(self, message: Any, *, sender: Any, recipient: Any) -> Any:
            await asyncio.sleep(0)
            return message

    return {"inherited": Inherited, "overridden": Overridden, "suspending": Suspending}[kind]()


@asynccontextmanager
async def send_intercepted(core: ModuleType, *, kind: str, **arguments: Any) -> AsyncIterator[Work]:
    """Sends with one intervention handler."""
    handlers = [intervention_handler(core, kind)]
    async with send(core, intervention_handlers=handlers, **arguments) as work:
        yield work


@asynccontextmanager
async def send_logged(core: ModuleType, **arguments: Any) -> AsyncIterator[Work]:
    """Sends with the event log on."""
    async with send(core, **arguments) as work:
        yield with_event_log(work)


def with_event_log(work: Work) -> Work:
    """The work while events are logged to the null device."""

    async def logged(count: int) -> None:
        with events_logged():
            await work(count)

    return logged


@asynccontextmanager
async def send_traced(core: ModuleType, **arguments: Any) -> AsyncIterator[Work]:
    """Sends with a tracer that records spans, and a processor that drops them."""
    async with send(core, tracer_provider=dropping_provider(), **arguments) as work:
        yield work


@asynccontextmanager
async def same_events() -> AsyncIterator[Work]:
    """The floor of the event log: a bare loop that logs the events of one send."""
    recorder = EventRecorder()
    async with send(ferrogen, message=Request(1)) as send_some:
        await send_some(1)
        with attached(recorder):
            await send_some(1)

    async def work(count: int) -> None:
        for _ in range(count):
            recorder.replay()

    yield with_event_log(work)


@asynccontextmanager
async def same_spans() -> AsyncIterator[Work]:
    """The floor of the tracer: a bare loop that makes the spans of one send."""
    recorder = SpanRecorder()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(recorder)
    async with send(ferrogen, message=Request(1), tracer_provider=provider) as send_some:
        await send_some(1)
        recorder.clear()
        await send_some(1)

    async def work(count: int) -> None:
        for _ in range(count):
            recorder.replay()

    yield work
