"""SQLite as the database of a memory: text by FTS5, vectors by arrays in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from ferrogen.memory.filters import Filter
from ferrogen.memory.items import Scope
from ferrogen.memory.retention import Deduplication
from ferrogen.memory.search import Search
from ferrogen.memory.sql.backend import Backend, Connection, Database
from ferrogen.memory.sql.conditions import Condition, compile_filter
from ferrogen.memory.sql.encoding import EncodedContent
from ferrogen.memory.sql.retention import ROUNDING, DuplicateFinder
from ferrogen.memory.sql.retrieval import Retrieval
from ferrogen.memory.sql.writing import (
    IN_SAME_SCOPE,
    PreparedItem,
    last_change,
    scope_columns,
)
from ferrogen.memory.sqlite.full_text import text_ranking
from ferrogen.memory.sqlite.schema import trim_removals
from ferrogen.memory.sqlite.vector_cache import VectorCache
from ferrogen.memory.vectors import VectorIndex, numerics

_BATCH = 4096


class SqliteBackend(Backend):
    """A file of SQLite."""

    conflict = sqlite3.IntegrityError
    size = (
        "length(CAST(content AS BLOB)) + coalesce(length(CAST(metadata AS BLOB)), 0) "
        "+ coalesce(length(CAST(text AS BLOB)), 0) + coalesce(length(vector), 0)"
    )

    def __init__(self, database: Database, embedder: str | None) -> None:
        super().__init__(database, embedder)
        self.cache = None if embedder is None else VectorCache(embedder)

    def compile(self, where: Filter | None) -> Condition:
        """Turn a filter into a condition."""
        return compile_filter(where)

    def columns(self, encoded: EncodedContent) -> dict[str, Any]:
        """Return the columns of a content; the text is NULL if it is the content."""
        return {
            "kind": encoded.kind,
            "mime_type": encoded.mime_type,
            "metadata": encoded.metadata,
            "text": encoded.indexed_text,
            "content": encoded.content,
            "hash": encoded.hash,
        }

    def vector(self, packed: bytes) -> bytes:
        """Return a packed vector as a parameter."""
        return packed

    def packed(self, vector: bytes) -> bytes:
        """Return a vector of a row, packed."""
        return bytes(vector)

    def retrieval(
        self, connection: Connection, search: Search, scope: Scope, now: float, query: bytes | None
    ) -> Retrieval:
        """Return a search inside a transaction."""
        return SqliteRetrieval(connection, self, search, scope, now, query)

    def duplicates(self, rules: Deduplication | None, now: float) -> DuplicateFinder:
        """Return what finds duplicates of new items."""
        return SqliteDuplicateFinder(self, rules, now)

    def before_commit(self, connection: Connection) -> None:
        """Limit what is kept about removed rows."""
        trim_removals(connection)


class SqliteRetrieval(Retrieval):
    """A search that compares with the vectors in memory."""

    backend: SqliteBackend

    def _by_text(self, depth: int) -> list[tuple[int, float]]:
        return text_ranking(self.connection, self.search.text, self.condition, depth)

    def _nearest(self, query: bytes, depth: int) -> list[tuple[int, float]]:
        if self.search.at is not None:
            return self._nearest_of_the_past(query, depth)
        if self.backend.cache is None:
            return []
        where = self.search.where
        condition = None
        if where is not None:
            condition = Condition("items.valid_until IS NULL") & compile_filter(where)
        self.backend.cache.synchronize(self.connection)
        return self.backend.cache.nearest(
            self.connection, query, depth, self.scope, condition, self.now
        )

    def _nearest_of_the_past(self, query: bytes, depth: int) -> list[tuple[int, float]]:
        """Compare with the vectors of versions that are not in memory."""
        np = numerics()
        condition = Condition("items.embedder = ?", (self.backend.embedder,)) & self.condition
        found = self.connection.execute(
            f"SELECT items.row, items.vector FROM items WHERE {condition.sql}",
            condition.parameters,
        )
        best: list[tuple[int, float]] = []
        while batch := found.fetchmany(_BATCH):
            rows = [row for row, vector in batch if len(vector) == len(query)]
            vectors = [vector for _, vector in batch if len(vector) == len(query)]
            if not rows:
                continue
            index = VectorIndex(len(query) // 4)
            index.append(np.frombuffer(b"".join(vectors), "<f4").reshape(len(rows), -1))
            near = index.nearest(np.frombuffer(query, "<f4"), depth)
            best += [(rows[place], score) for place, score in near]
            best = sorted(best, key=lambda one: (-one[1], -one[0]))[:depth]
        return best

    def _vectors(self, rows: Sequence[int]) -> dict[int, Any]:
        if self.search.at is None and self.backend.cache is not None:
            self.backend.cache.synchronize(self.connection)
            return self.backend.cache.vectors(rows)
        return super()._vectors(rows)


class SqliteDuplicateFinder(DuplicateFinder):
    """Searches similar items among the vectors in memory.

    Inside the transaction it searches among those that were added since.
    """

    _backend: SqliteBackend
    _seen = -1

    def __init__(self, backend: SqliteBackend, rules: Deduplication | None, now: float) -> None:
        super().__init__(backend, rules, now)
        self._found: dict[int, int] = {}

    async def prepare(self, prepared: Sequence[PreparedItem]) -> None:
        """Search similar items among the vectors in memory."""
        cache = self._backend.cache
        if self._rules is None or self._rules.near is None or cache is None:
            return
        least = self._rules.near - ROUNDING

        def read(connection: Connection) -> None:
            cache.synchronize(connection)
            self._seen = last_change(connection)
            for each in prepared:
                if each.vector is None:
                    continue
                found = cache.nearest(
                    connection, each.vector, 1, each.scope, None, self._now, exact_scope=True
                )
                if found and found[0][1] >= least:
                    self._found[id(each)] = found[0][0]

        await self._backend.database.read(read)

    def _similar(
        self, connection: Connection, each: PreparedItem, vector: bytes, least: float
    ) -> str | None:
        np = numerics()
        row = self._found.get(id(each))
        if row is not None:
            current = connection.execute(
                "SELECT id FROM items WHERE row = ? AND valid_until IS NULL", (row,)
            ).fetchone()
            if current is not None:
                return str(current[0])
        added_since = connection.execute(
            f"SELECT id, vector FROM items WHERE changed > ? AND {IN_SAME_SCOPE} "
            "AND valid_until IS NULL AND embedder = ?",
            (self._seen, *scope_columns(each.scope), self._backend.embedder),
        )
        numbers = np.frombuffer(vector, "<f4")
        for identity, other in added_since:
            same_length = len(other) == len(vector)
            if same_length and float(np.frombuffer(other, "<f4") @ numbers) >= least:
                return str(identity)
        return None
