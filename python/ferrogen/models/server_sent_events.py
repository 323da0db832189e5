"""Server-sent events own how a stream of bytes is taken apart into the data of its events."""

from __future__ import annotations

from ferrogen.exceptions import ModelResponseError

LARGEST_EVENT = 16 * 1024 * 1024
"""How many bytes one event may have; a stream without an end of event must not eat all memory."""


class EventData:
    r"""Takes bytes as they arrive, and gives the data of each event that they complete.

    The names of events are not looked at: what services send says in itself what it is. An event
    that is not completed by a blank line is none, as the standard has it.

    Example:
        ```python
        from ferrogen.models.server_sent_events import EventData

        events = EventData()
        assert events.feed(b'event: ping\ndata: {"type"') == []
        assert events.feed(b': "ping"}\n\n') == [b'{"type": "ping"}']
        ```
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[bytes]:
        """Take the next bytes; return the data of the events that end in them.

        Raises:
            ModelResponseError: An event is too large to be one.
        """
        lines = (self._rest + piece).splitlines(keepends=True)
        # A carriage return at the end may be half of a line's end.
        self._rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        complete: list[bytes] = []
        for line in lines:
            content = line.rstrip(b"\r\n")
            if content.startswith(b"data:"):
                self._data.append(content[6:] if content.startswith(b"data: ") else content[5:])
                self._size += len(content)
            elif not content and self._data:
                complete.append(b"\n".join(self._data))
                self._data, self._size = [], 0
        if self._size + len(self._rest) > LARGEST_EVENT:
            raise ModelResponseError(
                f"the service sent an event of more than {LARGEST_EVENT} bytes; is it a model's?"
            )
        return complete
