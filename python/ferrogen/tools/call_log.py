"""Log records of a call, passed on to its caller."""

import asyncio
import logging
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any


@dataclass(frozen=True)
class LogSink:
    """Takes what the tools of a call log by the logger of their context.

    Args:
        level: The least level, as of ``logging``.
        emit: Called on the event loop with the level and the text.
    """

    level: int
    emit: Callable[[int, str], object]


LOG_SINK: ContextVar[LogSink | None] = ContextVar("ferrogen_tool_log", default=None)


if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter  # it takes no argument before Python 3.11


class SinkLogger(_Adapter):
    """Passes records on to a sink, too, whatever the levels of loggers are.

    Args:
        logger: The logger.
        extra: The fields of its records.
        sink: The sink.
        loop: The event loop of the call; None is the one that runs.
    """

    def __init__(
        self,
        logger: logging.Logger,
        extra: dict[str, Any],
        sink: LogSink,
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        super().__init__(logger, extra)
        self._sink, self._loop = sink, loop

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name of logging
        """Whether a record of a level goes anywhere."""
        return level >= self._sink.level or super().isEnabledFor(level)

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log a record."""
        if level >= self._sink.level:
            self._pass_on(level, _text(msg, args, kwargs.get("exc_info")))
        kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1
        super().log(level, msg, *args, **kwargs)

    def _pass_on(self, level: int, text: str) -> None:
        try:
            here: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is self._loop or self._loop is None:
            self._sink.emit(level, text)
        else:
            with suppress(RuntimeError):  # the event loop is closed
                self._loop.call_soon_threadsafe(self._sink.emit, level, text)


def _text(message: object, arguments: tuple[Any, ...], exception: Any) -> str:
    record = logging.LogRecord("", 0, "", 0, message, arguments, None)
    try:
        text = record.getMessage()
    except (TypeError, ValueError, KeyError):
        text = str(message)  # logging reports that the arguments do not fit
    if exception is True:
        exception = sys.exc_info()[1]
    if isinstance(exception, BaseException):
        text = f"{text}\n{''.join(traceback.format_exception_only(exception)).strip()}"
    return text
