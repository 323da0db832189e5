"""Former path of the parser for server-sent events, which returned the data of events only."""

from __future__ import annotations

from ferrogen.models.providers._sse import EventParser


class EventData:
    r"""Takes bytes as they arrive, and returns the data of each event that they complete.

    Example:
        ```python
        from ferrogen.models.server_sent_events import EventData

        events = EventData()
        assert events.feed(b'event: ping\ndata: {"type"') == []
        assert events.feed(b': "ping"}\n\n') == [b'{"type": "ping"}']
        ```
    """

    def __init__(self) -> None:
        self._parser = EventParser()

    def feed(self, piece: bytes) -> list[bytes]:
        """Take the next bytes; return the data of the events that end in them.

        Raises:
            ModelResponseError: An event is too large.
        """
        return [event.data for event in self._parser.feed(piece)]
