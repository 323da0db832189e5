"""Tools of earlier requests, which the API requires declared in later ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from ferrogen.messaging.function_call import FunctionCall
from ferrogen.models.providers.anthropic.blocks import Block

CAPACITY = 1024
"""How many responses with calls are remembered."""


class OfferedTools:
    """Remembers the tools that the latest calls were chosen from.

    Args:
        capacity: How many responses with calls are remembered.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._tools: OrderedDict[tuple[str, ...], list[Block]] = OrderedDict()

    def remember(self, calls: Sequence[FunctionCall], tools: list[Block]) -> None:
        """Store the tools of the request whose response had these calls."""
        key = tuple(call.id for call in calls)
        self._tools[key] = tools
        self._tools.move_to_end(key)
        if len(self._tools) > self._capacity:
            self._tools.popitem(last=False)

    def of(self, calls: Sequence[FunctionCall]) -> list[Block]:
        """Return the tools of that request, as far as they are known."""
        return self._tools.get(tuple(call.id for call in calls), [])
