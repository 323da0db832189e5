"""Function calls from the pieces of a response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ferrogen.messaging.function_call import FunctionCall
from ferrogen.models.providers._outcome import part
from ferrogen.models.providers._tool_calls import CallIds, WireNames, plain_name

__all__ = ["OpenCall", "ToolCalls", "merge_fields", "plain_name", "written"]

_KNOWN = frozenset({"index", "id", "type", "function"})
_KNOWN_OF_FUNCTION = frozenset({"name", "arguments", "parameters"})


@dataclass
class OpenCall:
    """A call that more pieces may belong to."""

    id: str = ""
    name: str = ""
    arguments: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    """Fields beyond those of OpenAI, which the service may require back."""
    function_data: dict[str, Any] = field(default_factory=dict)
    """The same, of the function in the call."""
    beginning: Mapping[str, Any] = field(default_factory=dict)
    """A piece behind the arguments, which may be the first one of the next call."""


class ToolCalls:
    """Collects calls from their pieces.

    The index of a piece, its id, or its position decide to which call it belongs. Some services
    number all calls 0, or have neither index nor id. There, a piece begins a new call if it has
    another id, if it has a name and the call has arguments already, or if it has arguments and
    those of the call are complete.

    Args:
        names: The names of the tools of the request.
    """

    def __init__(self, names: WireNames) -> None:
        self._names = names
        self._calls: list[OpenCall] = []
        self._at: dict[int, OpenCall] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, pieces: Sequence[Any], *, whole: bool) -> None:
        """Add calls.

        Args:
            pieces: The calls, or pieces of them, as the service sent them.
            whole: Whether each is a whole call.
        """
        touched: list[OpenCall] = []
        for piece in pieces:
            if not isinstance(piece, dict):
                continue
            function = part(piece, "function") or {
                name: piece[name] for name in _KNOWN_OF_FUNCTION if name in piece
            }
            index, wire_id = _index(piece), _text(piece.get("id"))
            name, arguments = _text(function.get("name")), _arguments(function)
            call = None if whole else self._found(piece, wire_id, name, arguments, touched)
            if call is None:
                call = OpenCall(wire_id)
                if not (name or whole or (index is not None and index not in self._at)):
                    self._inherit(call, arguments)
                self._calls.append(call)
            if index is not None:
                self._at[index] = call
            touched.append(call)
            if self._is_repetition(call, wire_id, name, arguments):
                continue  # the last event of some services repeats the whole call
            call.id = call.id or wire_id
            # Some services repeat the whole name with each piece of the arguments.
            if name and name != call.name:
                call.name += name
            if arguments.lstrip().startswith("{") and call.arguments == "{}":
                call.arguments = ""  # it stood in the place of the arguments that come now
            if name and not arguments and _is_complete(call.arguments):
                # The end of this call, or the beginning of another of the same name.
                call.beginning = piece
                continue
            call.arguments += arguments
            merge_fields(call.data, piece, _KNOWN | _KNOWN_OF_FUNCTION)
            merge_fields(call.function_data, part(piece, "function"), _KNOWN_OF_FUNCTION)

    def _found(
        self,
        piece: Mapping[str, Any],
        wire_id: str,
        name: str,
        arguments: str,
        touched: Sequence[OpenCall],
    ) -> OpenCall | None:
        """Return the call that a piece belongs to, or ``None`` if it begins one."""
        index = _index(piece)
        if index is not None:
            call = self._at.get(index)
        else:
            same = [each for each in reversed(self._calls) if wire_id and each.id == wire_id]
            call = same[0] if same else (self._calls[-1] if self._calls else None)
        if call is None or (wire_id and call.id and wire_id != call.id):
            return None
        if self._is_repetition(call, wire_id, name, arguments):
            return call
        repeated = bool(wire_id) and (wire_id, name) == (call.id, call.name)
        if (wire_id or name) and not repeated and any(each is call for each in touched):
            return None  # two entries of one list are two calls
        if name and name != call.name and self._is_another_name(call, name):
            return None
        if arguments.lstrip().startswith("{") and _is_complete(call.arguments):
            is_placeholder = call.arguments == "{}" and (repeated or not (wire_id or name))
            return call if is_placeholder else None
        return call

    def _inherit(self, call: OpenCall, arguments: str) -> None:
        """Give a call that begins with arguments behind those of another the name of that one."""
        last = self._calls[-1] if self._calls else OpenCall()
        if arguments.lstrip().startswith("{") and _is_complete(last.arguments):
            call.name = last.name
            merge_fields(call.data, last.beginning, _KNOWN | _KNOWN_OF_FUNCTION)

    @staticmethod
    def _is_repetition(call: OpenCall, wire_id: str, name: str, arguments: str) -> bool:
        """Return whether a piece is a whole call that was collected already."""
        same = bool(wire_id) and (wire_id, name, arguments) == (call.id, call.name, call.arguments)
        return same and _is_complete(arguments)

    def _is_another_name(self, call: OpenCall, name: str) -> bool:
        """Return whether a name begins another call, rather than completing the one of this."""
        if not call.name:
            return False
        if call.arguments:
            return True
        return call.name in self._names and name in self._names

    def finished(self) -> list[FunctionCall]:
        """Return the calls, in the order in which they began.

        Arguments stay as the model wrote them, whether they are JSON or not: the agent reports
        an error to the model.
        """
        ids = CallIds()
        return [
            FunctionCall(
                id=ids.distinct(call.id),
                arguments=call.arguments if call.arguments.strip() else "{}",
                name=self._names.tool(call.name),
            )
            for call in self._calls
        ]

    def data(self) -> list[dict[str, Any]]:
        """Return what the service may require back with each call, in their order."""
        return [
            {
                **({"call": call.data} if call.data else {}),
                **({"function": call.function_data} if call.function_data else {}),
            }
            for call in self._calls
        ]

    def text(self) -> str:
        """Return all that the model wrote, to count its tokens."""
        return "".join(call.name + call.arguments for call in self._calls)


def merge_fields(
    into: dict[str, Any], fields: Mapping[str, Any], without: frozenset[str] = frozenset()
) -> None:
    """Take over fields of a piece: texts are continued, objects and lists are merged."""
    for name, value in fields.items():
        if name in without or value is None or value == "":
            continue
        present = into.get(name)
        if isinstance(present, dict) and isinstance(value, dict):
            merge_fields(present, value)
        else:
            into[name] = value


def _index(piece: Mapping[str, Any]) -> int | None:
    index = piece.get("index")
    if isinstance(index, str) and index.isdecimal():
        return int(index)
    return index if isinstance(index, int) and not isinstance(index, bool) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _arguments(function: Mapping[str, Any]) -> str:
    value = function.get("arguments", function.get("parameters"))
    if value is None or isinstance(value, str):
        return value or ""
    return written(value)


def written(value: Any) -> str:
    """Write a value as JSON, in readable Unicode, as models write arguments."""
    return msgspec.json.format(msgspec.json.encode(value), indent=0).decode()


def _is_complete(arguments: str) -> bool:
    """Return whether arguments are a whole JSON object, so that nothing can follow."""
    if not arguments.rstrip().endswith("}"):
        return False
    try:
        return isinstance(msgspec.json.decode(arguments), dict)
    except (msgspec.DecodeError, RecursionError):
        return False
