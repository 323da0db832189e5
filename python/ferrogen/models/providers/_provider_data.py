"""Data that a service requires back with the calls of its model.

The data is kept on the calls (`FunctionCall.provider_data`), so that it goes where they go: into
model contexts, their saved states, caches and cassettes. A client also remembers the data of its
latest responses, for programs that create calls anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from ferrogen.messaging.function_call import FunctionCall

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
