"""Reading items: listing and search. All of it runs inside a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ferrogen.memory.items import MemoryItem, Scope, timestamp
from ferrogen.memory.ranking import Candidate, diversified, fused, weighted
from ferrogen.memory.search import Search, SearchResult
from ferrogen.memory.sqlite.conditions import (
    Condition,
    compile_filter,
    in_scope,
    known_at,
)
from ferrogen.memory.sqlite.encoding import ITEM_COLUMNS, item_of
from ferrogen.memory.sqlite.full_text import text_ranking
from ferrogen.memory.sqlite.vector_cache import VectorCache
from ferrogen.memory.vectors import VectorIndex, numerics

_AT_ONCE = 500
_FEWEST_CANDIDATES = 200


@dataclass
class Retrieval:
    """A search in one namespace of a file.

    Args:
        connection: The connection, in a transaction.
        search: The terms and the kind of the search.
        scope: The namespace.
        now: The present.
        query_vector: The packed vector of the query, if vectors are searched.
        embedder: The id of its embedder.
        cache: The vectors in memory.
    """

    connection: sqlite3.Connection
    search: Search
    scope: Scope
    now: float
    query_vector: bytes | None = None
    embedder: str | None = None
    cache: VectorCache | None = None

    def run(self) -> list[SearchResult]:
        """Return the results, the best first."""
        options = self.search.options
        if self.cache is not None:
            self.cache.synchronize(self.connection)
        candidates = fused(self._rankings(), options)
        if options.half_life_seconds is not None or options.importance_weight:
            candidates = weighted(candidates, options, self._facts(candidates), self._time)
        if options.min_score is not None:
            candidates = [each for each in candidates if each.score >= options.min_score]
        if options.mmr is not None:
            vectors = self._vectors([each.row for each in candidates])
            candidates = diversified(
                candidates,
                options.mmr,
                options.limit,
                lambda one, other: _cosine(vectors.get(one), vectors.get(other)),
            )
        return self._results(candidates[: options.limit])

    @property
    def _time(self) -> float:
        return self.now if self.search.at is None else timestamp("at", self.search.at)

    def _rankings(self) -> dict[str, list[tuple[int, float]]]:
        options = self.search.options
        modes = ("text", "vector") if options.mode == "hybrid" else (options.mode,)
        plain = options.mode != "hybrid" and options.mmr is None
        plain = plain and options.half_life_seconds is None and not options.importance_weight
        depth = options.limit if plain else max(_FEWEST_CANDIDATES, 4 * options.limit)
        rankings = {}
        if "text" in modes:
            rankings["text"] = text_ranking(
                self.connection, self.search.text, self.condition, depth
            )
        if "vector" in modes and self.query_vector is not None:
            near = self._nearest(self.query_vector, depth)
            # What has nothing in common with the query has a rank, too, and would be fused.
            rankings["vector"] = [
                (row, cosine) for row, cosine in near if cosine > 0 or len(modes) == 1
            ]
        return rankings

    @property
    def condition(self) -> Condition:
        """The condition that versions of items have to meet before they are ranked."""
        time = None if self.search.at is None else self._time
        known = in_scope(self.scope) & known_at(time, self.now)
        return known & compile_filter(self.search.where)

    def _nearest(self, query: bytes, depth: int) -> list[tuple[int, float]]:
        if self.search.at is not None:
            return self._nearest_of_the_past(query, depth)
        if self.cache is None:
            return []
        where = self.search.where
        condition = None
        if where is not None:
            condition = Condition("items.valid_until IS NULL") & compile_filter(where)
        return self.cache.nearest(self.connection, query, depth, self.scope, condition, self.now)

    def _nearest_of_the_past(self, query: bytes, depth: int) -> list[tuple[int, float]]:
        """Compare with the vectors of versions that are not in memory."""
        np = numerics()
        condition = Condition("items.embedder = ?", (self.embedder,)) & self.condition
        found = self.connection.execute(
            f"SELECT items.row, items.vector FROM items WHERE {condition.sql}",
            condition.parameters,
        )
        best: list[tuple[int, float]] = []
        while batch := found.fetchmany(4096):
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

    def _facts(self, candidates: Sequence[Candidate]) -> dict[int, tuple[float, float]]:
        rows = [each.row for each in candidates]
        found = _selected(self.connection, "row, created_at, importance", rows)
        return {row: (created, importance) for row, created, importance in found}

    def _vectors(self, rows: Sequence[int]) -> dict[int, Any]:
        np = numerics()
        if self.search.at is None and self.cache is not None:
            return self.cache.vectors(rows)
        return {
            row: np.frombuffer(vector, "<f4")
            for row, vector, embedder in _selected(self.connection, "row, vector, embedder", rows)
            if vector is not None and embedder == self.embedder
        }

    def _results(self, candidates: Sequence[Candidate]) -> list[SearchResult]:
        rows = [each.row for each in candidates]
        items = {row[0]: item_of(row) for row in _selected(self.connection, ITEM_COLUMNS, rows)}
        return [
            SearchResult(item=items[each.row], score=each.score, parts=each.parts)
            for each in candidates
            if each.row in items
        ]


def listed(
    connection: sqlite3.Connection, condition: Condition, limit: int | None, offset: int
) -> list[MemoryItem]:
    """Return items that fulfill a condition, the newest first."""
    found = connection.execute(
        f"SELECT {ITEM_COLUMNS} FROM items WHERE {condition.sql} "
        "ORDER BY items.created_at DESC, items.row DESC LIMIT ? OFFSET ?",
        (*condition.parameters, -1 if limit is None else limit, offset),
    )
    return [item_of(row) for row in found]


def _selected(
    connection: sqlite3.Connection, columns: str, rows: Sequence[int]
) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        yield from connection.execute(f"SELECT {columns} FROM items WHERE row IN ({marks})", some)


def _cosine(one: Any, other: Any) -> float:
    return 0.0 if one is None or other is None else float(one @ other)
