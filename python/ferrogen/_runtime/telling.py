"""Telling the log: what a user's log handler does wrong never changes what becomes of a message."""

from __future__ import annotations

import logging
import traceback
from typing import Any

__all__ = ["tell"]


def tell(
    logger: logging.Logger,
    level: int,
    message: object,
    *arguments: object,
    exc_info: Any = None,
) -> None:
    """Log, even in the middle of settling a message.

    Most handlers of `logging` print their own errors. One that raises would otherwise end the
    task that takes or answers messages, and somebody would wait for ever (L1); its error is
    printed in the same way.
    """
    try:
        logger.log(level, message, *arguments, exc_info=exc_info, stacklevel=2)
    except Exception:  # noqa: BLE001 - printed, as logging prints the errors of its handlers
        if logging.raiseExceptions:
            traceback.print_exc()
