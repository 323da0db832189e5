"""Observers: log handlers that read some events, and a tracer that records."""

from __future__ import annotations

import logging
from collections import Counter

from opentelemetry.sdk.trace import TracerProvider as RecordingProvider
from opentelemetry.trace import NoOpTracerProvider, TracerProvider

from ferrogen import EVENT_LOGGER_NAME, ROOT_LOGGER_NAME

__all__ = ["install_log_handlers", "set_log_level", "tracer_provider"]

_RECORDING = RecordingProvider(shutdown_on_exit=False)
_NAMES = (ROOT_LOGGER_NAME, EVENT_LOGGER_NAME)


class _CountingHandler(logging.Handler):
    def __init__(self, used: Counter[str]) -> None:
        super().__init__()
        self._used = used
        self._count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self._count += 1
        self._used[f"log record: {record.levelname}"] += 1
        if self._count % 16 == 0:
            record.getMessage()


class _Complaints(logging.Handler):
    def __init__(self, complaints: list[str]) -> None:
        super().__init__()
        self._complaints = complaints

    def emit(self, record: logging.LogRecord) -> None:
        self._complaints.append(f"{record.name}: {record.getMessage()}")


def install_log_handlers(used: Counter[str], complaints: list[str]) -> None:
    """Count the records of both loggers, and collect what OpenTelemetry complains about."""
    telemetry = logging.getLogger("opentelemetry")
    telemetry.handlers = [_Complaints(complaints)]
    telemetry.propagate = False
    for name in _NAMES:
        logger = logging.getLogger(name)
        logger.handlers = [_CountingHandler(used)]
        logger.propagate = False


def set_log_level(*, is_informing: bool) -> None:
    """Let both loggers take INFO records, or not."""
    for name in _NAMES:
        logging.getLogger(name).setLevel(logging.INFO if is_informing else logging.WARNING)


def tracer_provider(*, is_recording: bool) -> TracerProvider:
    """A provider of spans that are recorded and go nowhere, or of none."""
    return _RECORDING if is_recording else NoOpTracerProvider()
