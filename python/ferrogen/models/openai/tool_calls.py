"""Function calls from the chunks of a response."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid4

from ferrogen._messaging.function_call import FunctionCall
from ferrogen.models.openai.chunks import ToolCall

_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_NAME = 64


def plain_name(name: str) -> str:
    """Make a name of letters, digits, ``_`` and ``-`` out of any text, as the API demands."""
    return _NOT_IN_A_NAME.sub("_", name)[:_LONGEST_NAME]


@dataclass
class _Open:
    """A call that more pieces may belong to."""

    id: str
    name: str
    arguments: list[str]


class ToolCalls:
    """Collects calls from their pieces, those of several calls in turn if need be."""

    def __init__(self) -> None:
        self._calls: list[_Open] = []
        self._at: dict[int, _Open] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, pieces: Iterable[ToolCall], *, whole: bool) -> None:
        """Add calls.

        Args:
            pieces: The calls, or pieces of them.
            whole: Whether each is a whole call.
        """
        for piece in pieces:
            call = self._begun(piece) if whole else self._call_of(piece)
            function = piece.function
            if function is None:
                continue
            # Some services write the whole name beside each piece of the arguments.
            if function.name and function.name != call.name:
                call.name += function.name
            if isinstance(function.arguments, dict):
                call.arguments.append(json.dumps(function.arguments))
            elif function.arguments:
                call.arguments.append(function.arguments)

    def _call_of(self, piece: ToolCall) -> _Open:
        """Find the call that a piece belongs to, or begin one.

        The index says it; but some services have none, or number all calls 0.
        """
        last = self._calls[-1] if self._calls else None
        call = last if piece.index is None else self._at.get(piece.index)
        if call is None or (piece.id and call.id and piece.id != call.id):
            return self._begun(piece)
        call.id = call.id or piece.id or ""
        return call

    def _begun(self, piece: ToolCall) -> _Open:
        call = _Open(piece.id or "", "", [])
        self._calls.append(call)
        if piece.index is not None:
            self._at[piece.index] = call
        return call

    def finished(self) -> list[FunctionCall]:
        """Give the calls, in the order in which they began.

        Arguments stay as the model wrote them, be they JSON or not: who makes the call tells the
        model. A call without an id gets one, so that its result can be told from others.
        """
        return [
            FunctionCall(
                id=call.id or f"call_{uuid4().hex}",
                name=plain_name(call.name),
                arguments=written if (written := "".join(call.arguments)).strip() else "{}",
            )
            for call in self._calls
        ]
