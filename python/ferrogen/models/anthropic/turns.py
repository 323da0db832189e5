"""Verbatim responses of the model that the API requires in later requests.

A conversation keeps the calls of a turn and its thought, but not the signatures by which the API
knows a thought for its own. It demands thoughts with their signatures back when the results of
calls are sent.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from ferrogen._messaging.function_call import FunctionCall
from ferrogen.models.anthropic.blocks import Block

CAPACITY = 1024
"""How many turns are remembered; a turn is wanted back while its calls are being carried out."""


@dataclass(frozen=True)
class Turn:
    """One answer of the model that called tools."""

    blocks: list[Block]
    """Its content, unchanged."""

    tools: list[Block]
    """The tools that it could choose from."""


class Turns:
    """Remembers turns by the calls in them, the most recent ones only."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._turns: OrderedDict[tuple[tuple[str, str, str], ...], Turn] = OrderedDict()

    def remember(self, calls: Sequence[FunctionCall], turn: Turn) -> None:
        """Keep a turn for the time when its calls are sent back."""
        self._turns[_key(calls)] = turn
        self._turns.move_to_end(_key(calls))
        while len(self._turns) > self._capacity:
            self._turns.popitem(last=False)

    def recall(self, calls: Sequence[FunctionCall]) -> Turn | None:
        """Give the turn in which the model made exactly these calls, if it is still known."""
        return self._turns.get(_key(calls))


def _key(calls: Sequence[FunctionCall]) -> tuple[tuple[str, str, str], ...]:
    return tuple((call.id, call.name, call.arguments) for call in calls)
