"""The levels from which on clients of an MCP server want log records."""

import logging
from collections import OrderedDict
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from ferrogen.tools.call_log import LOG_SINK, LogSink

# Those of the protocol, with the least level of ``logging`` that each stands for.
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "notice": logging.INFO + 5,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "alert": logging.CRITICAL + 10,
    "emergency": logging.CRITICAL + 20,
}
_SESSION, _OF_REQUEST = "mcp-session-id", "io.modelcontextprotocol/logLevel"
_MOST_SESSIONS = 10_000


class LogLevels:
    """The level of each session, or of each request of newer clients."""

    def __init__(self) -> None:
        self._levels: OrderedDict[str, str] = OrderedDict()

    def set(self, request: Any, level: str) -> None:
        """Set the level of a session.

        Args:
            request: The HTTP request, or None if there is one session only.
            level: The name of the level.
        """
        key = _session_of(request)
        self._levels[key] = level
        self._levels.move_to_end(key)
        if len(self._levels) > _MOST_SESSIONS:
            self._levels.popitem(last=False)

    def of_request(self, request: Any, meta: Mapping[str, Any] | None) -> int:
        """Return the level for a request, as of ``logging``.

        Args:
            request: The HTTP request, or None.
            meta: What the client says beside the parameters.
        """
        name = (meta or {}).get(_OF_REQUEST) or self._levels.get(_session_of(request), "info")
        return _LEVELS.get(str(name), logging.INFO)


def level_name(level: int) -> str:
    """Return the name of the protocol for a level of ``logging``."""
    names = [name for name, least in _LEVELS.items() if least <= level]
    return names[-1] if names else "debug"


@contextmanager
def log_sink(sink: LogSink) -> Generator[None, None, None]:
    """Pass what tools log inside a ``with`` block on to a sink."""
    token = LOG_SINK.set(sink)
    try:
        yield
    finally:
        LOG_SINK.reset(token)


def _session_of(request: Any) -> str:
    return "" if request is None else str(request.headers.get(_SESSION, ""))
