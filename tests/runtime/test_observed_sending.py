"""Observed sent messages: inline execution reports what task mode does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from tests.compat.observers import RecordedSpans

from ferrogen import (
    EVENT_LOGGER_NAME,
    ROOT_LOGGER_NAME,
    AgentId,
    SingleThreadedAgentRuntime,
    try_get_known_serializers_for_type,
)

from .failing_handlers import Note, is_cancelled, raises, waits_and_raises
from .function_agents import register
from .journal import Journal

A, B = AgentId("a", "1"), AgentId("b", "1")


async def responds(agent: Any, message: Note, ctx: Any) -> Note:
    return Note(message.text.upper())


async def waits(agent: Any, message: Note, ctx: Any) -> Note:
    await asyncio.sleep(0)
    return Note(message.text.upper())


async def asks_another(agent: Any, message: Note, ctx: Any) -> Any:
    return await agent.send_message(message, B)


HANDLERS = [responds, waits, raises, waits_and_raises, is_cancelled, asks_another]


async def reported(act: Any, monkeypatch: pytest.MonkeyPatch, plain: bool) -> tuple[Any, Any]:
    """Send a message twice; return its outcome, and what is logged and traced."""
    monkeypatch.setenv("FERROGEN_PLAIN_TASKS", "1" if plain else "")
    provider, journal = TracerProvider(shutdown_on_exit=False), Journal()
    provider.add_span_processor(journal)
    runtime = SingleThreadedAgentRuntime(tracer_provider=provider)
    await register(runtime, "a", act)
    await register(runtime, "b", waits)
    runtime.add_message_serializer(try_get_known_serializers_for_type(Note))
    for agent_id in (A, B):
        await runtime.try_get_underlying_agent_instance(agent_id)
    runtime.start()
    with journal.listening():
        outcomes = [await outcome(runtime, text) for text in ("first", "second")]
        await runtime.stop_when_idle()
    return outcomes, journal.lines


async def outcome(runtime: SingleThreadedAgentRuntime, text: str) -> Any:
    try:
        return await runtime.send_message(Note(text), A, message_id=text)
    except (ValueError, asyncio.CancelledError) as error:
        return repr(error)


@pytest.mark.parametrize("act", HANDLERS)
async def test_inline_execution_reports_what_task_mode_does(
    act: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    native = await reported(act, monkeypatch, plain=False)
    plain = await reported(act, monkeypatch, plain=True)
    _, lines = native
    assert lines
    assert native == plain


async def test_an_observed_message_is_still_handled_inline(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FERROGEN_PLAIN_TASKS", raising=False)
    spans = RecordedSpans()
    runtime = SingleThreadedAgentRuntime(tracer_provider=spans.provider)
    caplog.set_level(logging.INFO, logger=EVENT_LOGGER_NAME)

    async def runs_inside(agent: Any, message: Any, ctx: Any) -> bool:
        return runtime._engine.is_running

    await register(runtime, "a", runs_inside)
    await runtime.try_get_underlying_agent_instance(A)
    runtime.start()
    assert await runtime.send_message(Note("x"), A)
    await runtime.stop_when_idle()


async def test_the_span_that_is_current_around_a_send_is_so_again_afterwards() -> None:
    spans = RecordedSpans()
    runtime = SingleThreadedAgentRuntime(tracer_provider=spans.provider)
    inside = []

    async def looks(agent: Any, message: Any, ctx: Any) -> None:
        inside.append(trace.get_current_span())

    await register(runtime, "a", looks)
    await runtime.try_get_underlying_agent_instance(A)
    runtime.start()
    with spans.provider.get_tracer("test").start_as_current_span("outside") as outside:
        await runtime.send_message(Note("x"), A)
        assert trace.get_current_span() is outside
    assert inside[0] is not outside
    assert inside[0].is_recording() is False  # it has ended
    await runtime.stop_when_idle()


class Unruly(logging.Handler):
    """A log handler that raises."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def emit(self, record: logging.LogRecord) -> None:
        raise self._error


@pytest.fixture
def listen() -> Any:
    """Gives a function that adds a handler to both loggers."""
    added = []

    def add(handler: logging.Handler) -> None:
        for name in (ROOT_LOGGER_NAME, EVENT_LOGGER_NAME):
            logger = logging.getLogger(name)
            added.append((logger, logger.level, handler))
            logger.setLevel(logging.INFO)
            logger.addHandler(handler)

    yield add
    for logger, level, handler in added:
        logger.removeHandler(handler)
        logger.setLevel(level)


async def test_a_log_handler_that_raises_changes_nothing(listen: Any, capsys: Any) -> None:
    runtime = SingleThreadedAgentRuntime()
    await register(runtime, "a", responds)
    await runtime.try_get_underlying_agent_instance(A)
    runtime.start()
    listen(Unruly(RuntimeError("the disk is full")))
    assert await runtime.send_message(Note("x"), A) == Note("X")
    await asyncio.wait_for(runtime.stop_when_idle(), 150)
    assert "the disk is full" in capsys.readouterr().err


@pytest.mark.parametrize("act", [responds, waits])
def test_a_log_handler_that_ends_the_program_leaves_no_message_open(act: Any, listen: Any) -> None:
    kept: list[SingleThreadedAgentRuntime] = []

    async def program() -> None:
        runtime = SingleThreadedAgentRuntime()
        kept.append(runtime)
        await register(runtime, "a", act)
        await runtime.try_get_underlying_agent_instance(A)
        runtime.start()
        listen(Unruly(KeyboardInterrupt("stop")))
        await runtime.send_message(Note("x"), A)

    with pytest.raises(KeyboardInterrupt, match="stop"):
        asyncio.run(program())
    assert kept[0].unprocessed_messages_count == 0


async def test_a_handler_may_enable_and_disable_the_log(
    listen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FERROGEN_PLAIN_TASKS", raising=False)
    lines: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    keeping = Keeping()
    runtime = SingleThreadedAgentRuntime()

    async def turns_on(agent: Any, message: Note, ctx: Any) -> None:
        if message.text == "on":
            listen(keeping)
        else:
            logging.getLogger(EVENT_LOGGER_NAME).setLevel(logging.WARNING)

    await register(runtime, "a", turns_on)
    await runtime.try_get_underlying_agent_instance(A)
    runtime.start()
    await runtime.send_message(Note("on"), A)
    assert lines == []  # there was no listener when it started
    await runtime.send_message(Note("off"), A)
    # It was accepted and delivered: a line and an event each, which the other logger gets as well.
    # Its response has no listener any more.
    assert len(lines) == 6
    await runtime.stop_when_idle()
