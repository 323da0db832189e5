"""Logging that never raises: an error of a log handler does not affect the message."""

from __future__ import annotations

import logging
import traceback
from typing import Any

__all__ = ["log", "log_event"]


def log(
    logger: logging.Logger,
    level: int,
    message: object,
    *arguments: object,
    exc_info: Any = None,
) -> None:
    """Log a record.

    Most handlers of `logging` print their own errors. One that raises would leave a message
    unsettled (L1); its error is printed in the same way.
    """
    try:
        logger.log(level, message, *arguments, exc_info=exc_info, stacklevel=2)
    except Exception:  # noqa: BLE001 - printed, as logging prints the errors of its handlers
        if logging.raiseExceptions:
            traceback.print_exc()


def log_event(logger: logging.Logger, event: object) -> None:
    """Log an event at the level INFO, which the logger is known to take.

    The record is made without looking for its caller, which is always the runtime: that would cost
    as much as the event.
    """
    try:
        record = logger.makeRecord(
            logger.name, logging.INFO, __file__, _EVENT_LINE, event, (), None, log_event.__name__
        )
        logger.handle(record)
    except Exception:  # noqa: BLE001 - printed, as logging prints the errors of its handlers
        if logging.raiseExceptions:
            traceback.print_exc()


_EVENT_LINE = log_event.__code__.co_firstlineno
