"""Duplicates of new items: equal contents, and similar vectors."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from ferrogen.memory.retention import Deduplication
from ferrogen.memory.sqlite.database import Database
from ferrogen.memory.sqlite.embedding import VectorStore
from ferrogen.memory.sqlite.writing import (
    PreparedItem,
    exact_duplicate,
    last_change,
    scope_columns,
)
from ferrogen.memory.vectors import numerics

# Cosines of float32 differ from exact ones by about this.
_ROUNDING = 1e-6


class DuplicateFinder:
    """Finds current items in the same namespace that make new ones superfluous.

    Similar items are searched among the vectors in memory before the transaction, and inside the
    transaction among those that were added since.

    Args:
        rules: The rules for duplicates.
        vectors: The vectors in memory.
        now: The present.
    """

    def __init__(
        self, rules: Deduplication | None, vectors: VectorStore | None, now: float
    ) -> None:
        self._rules = rules
        self._vectors = vectors
        self._now = now
        self._similar: dict[int, int] = {}
        self._seen = -1

    async def prepare(self, database: Database, prepared: Sequence[PreparedItem]) -> None:
        """Search similar items among the vectors in memory."""
        if self._rules is None or self._rules.near is None or self._vectors is None:
            return
        near, cache = self._rules.near, self._vectors.cache

        def read(connection: sqlite3.Connection) -> None:
            cache.synchronize(connection)
            self._seen = last_change(connection)
            for each in prepared:
                if each.vector is None:
                    continue
                found = cache.nearest(
                    connection, each.vector, 1, each.scope, None, self._now, exact_scope=True
                )
                if found and found[0][1] >= near - _ROUNDING:
                    self._similar[id(each)] = found[0][0]

        await database.read(read)

    def duplicate(self, connection: sqlite3.Connection, each: PreparedItem) -> str | None:
        """Return the id of a duplicate; inside the transaction that inserts."""
        if self._rules is None:
            return None
        if self._rules.exact and (found := exact_duplicate(connection, each, self._now)):
            return found
        if self._rules.near is None or each.vector is None or self._vectors is None:
            return None
        row = self._similar.get(id(each))
        if row is not None:
            current = connection.execute(
                "SELECT id FROM items WHERE row = ? AND valid_until IS NULL", (row,)
            ).fetchone()
            if current is not None:
                return str(current[0])
        return self._added_since(connection, each, self._rules.near)

    def _added_since(
        self, connection: sqlite3.Connection, each: PreparedItem, near: float
    ) -> str | None:
        np = numerics()
        vector = np.frombuffer(each.vector, "<f4")
        assert self._vectors is not None
        found = connection.execute(
            "SELECT id, vector FROM items WHERE changed > ? AND user = ? AND agent = ? "
            "AND conversation = ? AND valid_until IS NULL AND embedder = ?",
            (self._seen, *scope_columns(each.scope), self._vectors.embedder),
        )
        for identity, other in found:
            if len(other) == len(each.vector or b""):
                cosine = float(np.frombuffer(other, "<f4") @ vector)
                if cosine >= near - _ROUNDING:
                    return str(identity)
        return None
