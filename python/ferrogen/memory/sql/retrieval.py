"""Reading items: listing and search. All of it runs inside a transaction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ferrogen.memory.items import MemoryItem, Scope, timestamp
from ferrogen.memory.ranking import Candidate, diversified, fused, weighted
from ferrogen.memory.search import Search, SearchResult
from ferrogen.memory.sql.backend import Backend, Connection
from ferrogen.memory.sql.conditions import Condition, in_scope, known_at
from ferrogen.memory.sql.encoding import ITEM_COLUMNS, item_of
from ferrogen.memory.vectors import numerics

_AT_ONCE = 500
_NO_LIMIT = 2**62
_FEWEST_CANDIDATES = 200


@dataclass
class Retrieval(ABC):
    """A search in one namespace of a database.

    Args:
        connection: The connection, in a transaction.
        backend: Its database.
        search: The terms and the kind of the search.
        scope: The namespace.
        now: The present.
        query_vector: The packed vector of the query, if vectors are searched.
    """

    connection: Connection
    backend: Backend
    search: Search
    scope: Scope
    now: float
    query_vector: bytes | None = None

    @abstractmethod
    def _by_text(self, depth: int) -> list[tuple[int, float]]:
        """Return the rows that fulfill the condition and have words of the query, and scores."""

    @abstractmethod
    def _nearest(self, query: bytes, depth: int) -> list[tuple[int, float]]:
        """Return the rows with the nearest vectors that fulfill the condition, and cosines."""

    def run(self) -> list[SearchResult]:
        """Return the results, the best first."""
        options = self.search.options
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
            rankings["text"] = self._by_text(depth)
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
        return condition_of(self.backend, self.search, self.scope, self.now)

    def _facts(self, candidates: Sequence[Candidate]) -> dict[int, tuple[float, float]]:
        rows = [each.row for each in candidates]
        found = _selected(self.connection, "row, created_at, importance", rows)
        return {row: (created, importance) for row, created, importance in found}

    def _vectors(self, rows: Sequence[int]) -> dict[int, Any]:
        np = numerics()
        return {
            row: np.frombuffer(self.backend.packed(vector), "<f4")
            for row, vector, embedder in _selected(self.connection, "row, vector, embedder", rows)
            if vector is not None and embedder == self.backend.embedder
        }

    def _results(self, candidates: Sequence[Candidate]) -> list[SearchResult]:
        rows = [each.row for each in candidates]
        items = {row[0]: item_of(row) for row in _selected(self.connection, ITEM_COLUMNS, rows)}
        return [
            SearchResult(item=items[each.row], score=each.score, parts=each.parts)
            for each in candidates
            if each.row in items
        ]


def condition_of(backend: Backend, search: Search, scope: Scope, now: float) -> Condition:
    """Return what versions of items have to fulfill before they are ranked."""
    time = None if search.at is None else timestamp("at", search.at)
    return in_scope(scope) & known_at(time, now) & backend.compile(search.where)


def listed(
    connection: Connection, condition: Condition, limit: int | None, offset: int
) -> list[MemoryItem]:
    """Return items that fulfill a condition, the newest first."""
    found = connection.execute(
        f"SELECT {ITEM_COLUMNS} FROM items WHERE {condition.sql} "
        "ORDER BY items.created_at DESC, items.row DESC LIMIT ? OFFSET ?",
        (*condition.parameters, _NO_LIMIT if limit is None else limit, offset),
    )
    return [item_of(row) for row in found]


def _selected(connection: Connection, columns: str, rows: Sequence[int]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        yield from connection.execute(f"SELECT {columns} FROM items WHERE row IN ({marks})", some)


def _cosine(one: Any, other: Any) -> float:
    return 0.0 if one is None or other is None else float(one @ other)
