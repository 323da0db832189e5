"""Logging: an error of a log handler is printed, and does not affect the message."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from ferrogen import EVENT_LOGGER_NAME, SingleThreadedAgentRuntime, TopicId, TypeSubscription
from ferrogen.runtime.log import log, log_event

from .function_agents import boom, register, tally

Runtime = SingleThreadedAgentRuntime


class Broken(logging.Handler):
    """Raises where logging's own handlers would print."""

    def emit(self, record: logging.LogRecord) -> None:
        raise ZeroDivisionError(record.name)


@pytest.fixture
def broken_log() -> Iterator[None]:
    """Every record of the runtime goes to a handler that raises."""
    handler, loggers = Broken(), [logging.getLogger(EVENT_LOGGER_NAME).parent]
    loggers.append(logging.getLogger(EVENT_LOGGER_NAME))
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.removeHandler(handler)
        logger.setLevel(level)


@pytest.mark.usefixtures("broken_log")
async def test_every_message_ends_as_without_the_broken_log(runtime: Runtime, capsys: Any) -> None:
    a, b = await register(runtime, "a"), await register(runtime, "b", boom)
    await runtime.register_factory("c", lambda: 1 / 0)
    for name in ("a", "b", "unregistered"):
        await runtime.add_subscription(TypeSubscription("news", name))
    assert await runtime.send_message("x", a()) == "x"
    with pytest.raises(KeyError):
        await runtime.send_message("x", b())
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        await runtime.get("c", lazy=False)
    await runtime.publish_message("x", TopicId("news", "1"))
    await runtime.stop_when_idle()
    counts = tally(runtime)
    assert (counts["accepted"], counts["responded"], counts["failed"]) == (3, 1, 2)
    assert "ZeroDivisionError: autogen_core.events" in capsys.readouterr().err


def test_a_log_record_names_its_source(caplog: pytest.LogCaptureFixture) -> None:
    log(logging.getLogger("autogen_core"), logging.ERROR, "%s and %s", "this", "that")
    (record,) = caplog.records
    assert (record.getMessage(), record.funcName) == (
        "this and that",
        "test_a_log_record_names_its_source",
    )


def test_an_event_is_processed_like_every_record(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Filters drop it, record factories shape it, a custom logger creates it."""

    class Own(logging.Logger):
        def makeRecord(self, *given: Any, **more: Any) -> logging.LogRecord:  # noqa: N802
            record = super().makeRecord(*given, **more)
            record.own = True
            return record

    class Stamped(logging.LogRecord):
        stamped = True

    logger, event = Own("own", logging.INFO), {"an": "event"}
    logger.addHandler(caplog.handler)
    monkeypatch.setattr(logging, "_logRecordFactory", Stamped)
    log_event(logger, event)
    (record,) = caplog.records
    assert (record.msg, record.own, record.stamped) == (event, True, True)
    assert (record.name, record.levelname, record.funcName) == ("own", "INFO", "log_event")
    logger.addFilter(lambda record: False)
    log_event(logger, event)
    assert len(caplog.records) == 1


def test_a_handler_that_raises_on_an_event_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.Logger("own", logging.INFO)
    logger.addHandler(Broken())
    log_event(logger, "event")
    assert "ZeroDivisionError: own" in capsys.readouterr().err
