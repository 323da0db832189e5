"""Duplicates of new items: equal contents, and similar vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from ferrogen.memory.retention import Deduplication
from ferrogen.memory.sql.backend import Backend, Connection
from ferrogen.memory.sql.writing import PreparedItem, exact_duplicate

ROUNDING = 1e-6
"""Cosines of float32 differ from exact ones by about this."""


class DuplicateFinder(ABC):
    """Finds current items in the same namespace that make new ones superfluous.

    Args:
        backend: The database.
        rules: The rules for duplicates.
        now: The present.
    """

    def __init__(self, backend: Backend, rules: Deduplication | None, now: float) -> None:
        self._backend = backend
        self._rules = rules
        self._now = now

    @abstractmethod
    async def prepare(self, prepared: Sequence[PreparedItem]) -> None:
        """Search before the transaction, as far as that is possible."""

    def duplicate(self, connection: Connection, each: PreparedItem) -> str | None:
        """Return the id of a duplicate; inside the transaction that inserts."""
        if self._rules is None:
            return None
        if self._rules.exact and (found := exact_duplicate(connection, each, self._now)):
            return found
        if self._rules.near is None or each.vector is None:
            return None
        return self._similar(connection, each, each.vector, self._rules.near - ROUNDING)

    @abstractmethod
    def _similar(
        self, connection: Connection, each: PreparedItem, vector: bytes, least: float
    ) -> str | None:
        """Return the id of an item whose vector has at least this cosine."""
