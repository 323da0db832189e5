"""Ids of the calls of one response."""

from __future__ import annotations

from uuid import uuid4


class CallIds:
    """Returns the ids of a response, each once.

    A call without an id, or with that of another call, gets a new one, so that its result can be
    distinguished from others.
    """

    def __init__(self) -> None:
        self._used: set[str] = set()

    def distinct(self, call_id: str) -> str:
        """Return the id of the next call."""
        if not call_id or call_id in self._used:
            call_id = f"call_{uuid4().hex}"
        self._used.add(call_id)
        return call_id
