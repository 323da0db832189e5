"""Cached responses and their expiry."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from ferrogen.exceptions import SerializationError
from ferrogen.models.middleware.result_form import read_result, written_result
from ferrogen.models.results import CreateResult


@dataclass(frozen=True)
class CacheEntry:
    """A response: the pieces in which it was streamed, if it was, its result, and when it came."""

    at: float
    pieces: Sequence[str]
    result: CreateResult

    def to_text(self) -> str:
        """Write it down."""
        form = {"at": self.at, "pieces": self.pieces, "result": written_result(self.result)}
        return json.dumps(form)

    @classmethod
    def from_text(cls, text: str) -> CacheEntry:
        """Read what `to_text` wrote.

        Raises:
            SerializationError: It did not write this.
        """
        try:
            form = json.loads(text)
            return cls(float(form["at"]), list(form["pieces"]), read_result(form["result"]))
        except (ValueError, TypeError, KeyError, ValidationError) as error:
            raise SerializationError("the stored value is not a response") from error

    def holds(self, now: float, seconds: float | None) -> bool:
        """Return whether it has not expired."""
        return seconds is None or now - self.at < seconds

    def items(self, *, streaming: bool) -> Iterator[str | CreateResult]:
        """Replay the response as it was received; without pieces, stream its text as one piece."""
        if streaming:
            text = self.result.content
            yield from self.pieces or ([text] if isinstance(text, str) and text else [])
        yield self.result.model_copy(update={"cached": True})
