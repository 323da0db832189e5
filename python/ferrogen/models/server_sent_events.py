"""Parser for server-sent events."""

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
        self._begun: list[bytes] = []  # the pieces of a line whose end has not come
        self._begun_size = 0
        self._data: list[bytes] = []
        self._data_size = 0

    def feed(self, piece: bytes) -> list[bytes]:
        """Take the next bytes; return the data of the events that end in them.

        Raises:
            ModelResponseError: An event is too large to be one.
        """
        # Not joined before its end comes, or a long line in short pieces would take for ever.
        self._begun.append(piece)
        self._begun_size += len(piece)
        complete = self._take_lines() if b"\n" in piece or b"\r" in piece else []
        if self._begun_size + self._data_size > LARGEST_EVENT:
            raise ModelResponseError(
                f"the service sent an event of more than {LARGEST_EVENT} bytes; is it a model's?"
            )
        return complete

    def _take_lines(self) -> list[bytes]:
        lines = b"".join(self._begun).splitlines(keepends=True)
        # A carriage return at the end may be half of a line's end.
        self._begun = [lines.pop()] if not lines[-1].endswith(b"\n") else []
        self._begun_size = len(self._begun[0]) if self._begun else 0
        complete: list[bytes] = []
        for line in lines:
            content = line.rstrip(b"\r\n")
            if content.startswith(b"data:"):
                self._data.append(content[6:] if content.startswith(b"data: ") else content[5:])
                self._data_size += len(line)
            elif not content and self._data:
                complete.append(b"\n".join(self._data))
                self._data, self._data_size = [], 0
        return complete
