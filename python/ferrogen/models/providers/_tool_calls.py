"""Tool calls in the APIs of services: names, ids, and data that belongs to calls."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from ferrogen.exceptions import ToolSchemaError
from ferrogen.messaging.function_call import FunctionCall

_INVALID = re.compile(r"[^a-zA-Z0-9_-]")
LONGEST_NAME = 64


def plain_name(name: str, longest: int = LONGEST_NAME) -> str:
    """Make a name of letters, digits, ``_`` and ``-`` of any text, as the APIs require it."""
    return _INVALID.sub("_", name)[:longest]


class WireNames:
    """The names of the tools of one request: valid, different, and translated back.

    Args:
        names: The names of the tools.
        longest: How many characters the API accepts.

    Raises:
        ToolSchemaError: A name is empty.
    """

    def __init__(self, names: Iterable[str] = (), longest: int = LONGEST_NAME) -> None:
        self._longest = longest
        names = list(dict.fromkeys(names))
        valid = {name for name in names if name and plain_name(name, longest) == name}
        self._wire = {name: name for name in names if name in valid}
        self._tools = dict(self._wire)
        for name in names:
            if name not in valid:
                self._add(name)

    def wire(self, name: str) -> str:
        """Return the name that is sent for a tool; also for one that is not of this request."""
        return self._wire.get(name) or plain_name(name, self._longest) or "unnamed"

    def tool(self, wire: str) -> str:
        """Return the tool that a response means by a name."""
        if wire in self._tools:
            return self._tools[wire]
        # Some models write the name that they know from a text.
        return wire if wire in self._wire else plain_name(wire, self._longest)

    def __contains__(self, wire: object) -> bool:
        return wire in self._tools or wire in self._wire

    def _add(self, name: str) -> None:
        if not name.strip():
            raise ToolSchemaError("a tool has an empty name: give it one of letters, digits, '_'")
        base = plain_name(name, self._longest)
        candidate, number = base, 1
        while candidate in self._tools:
            number += 1
            suffix = f"_{number}"
            candidate = base[: self._longest - len(suffix)] + suffix
        self._wire[name] = candidate
        self._tools[candidate] = name


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


CAPACITY = 1024
"""How many responses a client remembers; data is needed while the calls are being executed."""

_ORIGIN = "origin"


class ProviderData:
    """The data of one service, on calls and in memory.

    Args:
        origin: The service. Data of another service is not sent to it.
        capacity: How many responses are remembered.
    """

    def __init__(self, origin: str, capacity: int = CAPACITY) -> None:
        self._origin = origin
        self._capacity = capacity
        self._memory: OrderedDict[tuple[tuple[str, str, str], ...], list[Mapping[str, Any]]] = (
            OrderedDict()
        )

    def keep(self, calls: Sequence[FunctionCall], data: Sequence[Mapping[str, Any]]) -> None:
        """Put data on the calls of one response, and remember it.

        Args:
            calls: The calls.
            data: The data of each; empty if there is none.
        """
        kept: list[Mapping[str, Any]] = [
            {_ORIGIN: self._origin, **each} if each else {} for each in data
        ]
        for call, each in zip(calls, kept, strict=True):
            call.provider_data = each or None
        if any(kept):
            key = _key(calls)
            self._memory[key] = kept
            self._memory.move_to_end(key)
            if len(self._memory) > self._capacity:
                self._memory.popitem(last=False)

    def of(self, calls: Sequence[FunctionCall]) -> list[Mapping[str, Any]]:
        """Return the data of each call of one response; empty if there is none of this service."""
        data = [call.provider_data or {} for call in calls]
        if not any(data):
            data = list(self._memory.get(_key(calls), data))
        return [each if each.get(_ORIGIN) == self._origin else {} for each in data]


def _key(calls: Sequence[FunctionCall]) -> tuple[tuple[str, str, str], ...]:
    return tuple((call.id, call.name, call.arguments) for call in calls)
