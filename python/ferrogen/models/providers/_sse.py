"""Parser for server-sent events, as model services write them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ferrogen.exceptions import ModelResponseError

LARGEST_EVENT = 16 * 1024 * 1024
"""How many bytes one event may have; an event without an end must not use up all memory."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ServerEvent(NamedTuple):
    """One event: its data, and its name if it has one."""

    data: bytes
    name: str = ""


class EventParser:
    r"""Takes bytes as they arrive, and returns the events that they complete.

    Beyond the standard it accepts what model services send: a last event without a blank line
    behind it (`end`), a line of JSON without ``data:`` before it, as in JSON lines, and a field
    ``error``, which is an event of that name.

    Example:
        ```python
        from ferrogen.models.providers._sse import EventParser

        parser = EventParser()
        assert parser.feed(b'event: ping\ndata: {"type"') == []
        assert parser.feed(b': "ping"}\n\n') == [(b'{"type": "ping"}', "ping")]
        ```
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []  # of a line whose end has not arrived
        self._pieces_size = 0
        self._data: list[bytes] = []
        self._data_size = 0
        self._name = ""
        self._inside_json = False
        self._at_start = True

    def feed(self, piece: bytes) -> list[ServerEvent]:
        """Take the next bytes, and return the events that end in them.

        Raises:
            ModelResponseError: An event is too large.
        """
        # Joined only when a line ends, or a long line in short pieces would take quadratic time.
        self._pieces.append(piece)
        self._pieces_size += len(piece)
        events: list[ServerEvent] = []
        if b"\n" in piece or b"\r" in piece:
            lines = self._joined().splitlines(keepends=True)
            # A carriage return at the end may be the first half of a line end.
            self._pieces = [lines.pop()] if not lines[-1].endswith(b"\n") else []
            self._pieces_size = len(self._pieces[0]) if self._pieces else 0
            events = list(self._events(lines))
        if self._pieces_size + self._data_size > LARGEST_EVENT:
            raise ModelResponseError(
                f"the service sent an event of more than {LARGEST_EVENT} bytes; check that it is "
                "a model service"
            )
        return events

    def end(self) -> list[ServerEvent]:
        """Return the events that the end of the body completes."""
        rest, self._pieces, self._pieces_size = self._joined(), [], 0
        return list(self._events([*rest.splitlines(), b""]))

    def _joined(self) -> bytes:
        joined = b"".join(self._pieces)
        if self._at_start and joined:
            self._at_start = False
            return joined.removeprefix(BYTE_ORDER_MARK)
        return joined

    def _events(self, lines: list[bytes]) -> Iterator[ServerEvent]:
        for line in lines:
            content = line.rstrip(b"\r\n")
            if not content:
                yield from self._completed()
            elif self._inside_json:
                self._add(content)
            elif content.startswith(b"data:"):
                self._add(content[6:] if content.startswith(b"data: ") else content[5:])
            elif content.startswith(b"event:"):
                self._name = content[6:].decode("utf-8", "replace").strip()
            elif content.startswith(b"error:"):
                self._name = "error"
                self._add(content[6:].strip())
            elif content.startswith(b"{"):
                yield from self._completed()
                self._add(content)
                if content.rstrip().endswith(b"}"):
                    yield from self._completed()
                else:
                    self._inside_json = True

    def _add(self, data: bytes) -> None:
        self._data.append(data)
        self._data_size += len(data)

    def _completed(self) -> Iterator[ServerEvent]:
        self._inside_json = False
        name, self._name = self._name, ""
        if self._data or name == "error":
            data = b"\n".join(self._data)
            self._data, self._data_size = [], 0
            yield ServerEvent(data, name)
