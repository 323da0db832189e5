"""The vectors of the current items in memory, kept up to date with the file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ferrogen.exceptions import EmbedderMismatchError
from ferrogen.memory.items import Scope
from ferrogen.memory.sql.backend import Connection
from ferrogen.memory.sql.conditions import Condition
from ferrogen.memory.sql.encoding import scope_of
from ferrogen.memory.sql.writing import last_change
from ferrogen.memory.sqlite.full_text import fulfilling_rows
from ferrogen.memory.vectors import VectorIndex, numerics

_BATCH = 4096
# What part of all rows is few enough to look at each of them.
_FEW = 8
_COLUMNS = 'row, valid_until, "user", agent, conversation, expires_at, vector'


class VectorCache:
    """The vectors of one embedder, as a connection sees them.

    Every transaction that changes items has a number, which its rows carry. So what others have
    changed since the last search is read, and nothing else.

    Args:
        embedder: The id of the embedder.
    """

    def __init__(self, embedder: str) -> None:
        self._embedder = embedder
        self._clear()

    def _clear(self) -> None:
        np = numerics()
        self._seen = -1
        self._index: VectorIndex | None = None
        self._rows = np.zeros(0, np.int64)
        self._alive = np.zeros(0, bool)
        self._scopes = np.zeros(0, np.int32)
        self._expires = np.zeros(0, np.float64)
        self._some_expire = False
        self._codes: dict[tuple[str, str, str], int] = {}

    @property
    def memory(self) -> int:
        """The bytes that the vectors take."""
        return self._index.memory if self._index is not None else 0

    def synchronize(self, connection: Connection) -> None:
        """Read the changes of the file; inside a transaction."""
        change = last_change(connection)
        if change == self._seen:
            return
        try:
            self._read_changes(connection)
        except BaseException:
            self._clear()  # what was read in part would be read twice
            raise
        self._seen = change
        self._compact()

    def _read_changes(self, connection: Connection) -> None:
        if self._seen >= 0 and self._has_missed_removals(connection):
            self._clear()
        if self._seen >= 0:
            self._remove(
                row
                for (row,) in connection.execute(
                    "SELECT row FROM removals WHERE changed > ?", (self._seen,)
                )
            )
            self._remove(
                row
                for (row,) in connection.execute(
                    "SELECT row FROM items WHERE changed > ? AND valid_until IS NOT NULL",
                    (self._seen,),
                )
            )
        found = connection.execute(
            f"SELECT {_COLUMNS} FROM items WHERE changed > ? AND valid_until IS NULL "
            "AND embedder = ?",
            (self._seen, self._embedder),
        )
        while batch := found.fetchmany(_BATCH):
            self._append(batch)

    def nearest(
        self,
        connection: Connection,
        query: bytes,
        limit: int,
        scope: Scope,
        condition: Condition | None,
        now: float,
        *,
        exact_scope: bool = False,
    ) -> list[tuple[int, float]]:
        """Return the rows of the nearest vectors and their cosines.

        Args:
            connection: The connection, in the transaction in which the cache was synchronized.
            query: The packed vector of the query.
            limit: How many to return.
            scope: The namespace of the items.
            condition: A further condition on the items.
            now: The present.
            exact_scope: Whether the items must have the levels of the namespace and no others.

        Raises:
            EmbedderMismatchError: The query has another length than the vectors.
        """
        np = numerics()
        if self._index is None:
            return []
        vector = np.frombuffer(query, "<f4")
        if len(vector) != self._index.dimensions:
            raise EmbedderMismatchError(
                f"{self._embedder} has returned a vector of length {len(vector)}, and the stored "
                f"ones have {self._index.dimensions}: give the embedder an id that names the "
                "dimensions, and embed again",
                stored=[self._embedder],
            )
        mask = self._alive
        if exact_scope or scope.levels():
            scopes = (scope_of(*code) for code in self._codes)
            fits = (one == scope if exact_scope else scope.contains(one) for one in scopes)
            mask = mask & np.fromiter(fits, bool, len(self._codes))[self._scopes]
        if self._some_expire:
            mask = mask & (self._expires > now)
        mask = None if mask.all() else mask
        if condition is None:
            return self._rows_at(self._index.nearest(vector, limit, mask))
        # The nearest ones first: mostly enough of them fulfill the condition. Else it is evaluated
        # for all rows, which takes longer than to compare their vectors.
        for count in (8 * limit, 64 * limit):
            if count * _FEW > len(self._rows):
                break
            near = self._rows_at(self._index.nearest(vector, count, mask))
            fulfilling = fulfilling_rows(connection, condition, [row for row, _ in near])
            found = [pair for pair in near if pair[0] in fulfilling]
            if len(found) >= limit or len(near) < count:
                return found[:limit]
        fits = self._all_fulfilling(connection, condition)
        mask = fits if mask is None else mask & fits
        return self._rows_at(self._index.nearest(vector, limit, mask))

    def _rows_at(self, places: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
        return [(int(self._rows[place]), score) for place, score in places]

    def vectors(self, rows: Sequence[int]) -> dict[int, Any]:
        """Return the vectors of some rows, as far as they are here."""
        np = numerics()
        if self._index is None:
            return {}
        places = np.flatnonzero(np.isin(self._rows, np.asarray(rows)) & self._alive)
        found = self._index.rows(places)
        return {int(self._rows[place]): found[number] for number, place in enumerate(places)}

    def _all_fulfilling(self, connection: Connection, condition: Condition) -> Any:
        np = numerics()
        found = connection.execute(
            f"SELECT row FROM items WHERE {condition.sql}", condition.parameters
        )
        allowed = np.fromiter((row for (row,) in found), np.int64)
        largest = max(int(self._rows.max(initial=0)), int(allowed.max(initial=0)))
        table = np.zeros(largest + 1, bool)
        table[allowed] = True
        return table[self._rows]

    def _has_missed_removals(self, connection: Connection) -> bool:
        trimmed = connection.execute(
            "SELECT value FROM counters WHERE name = 'removals_trimmed'"
        ).fetchone()
        return trimmed is not None and trimmed[0] > self._seen

    def _append(self, batch: Sequence[Sequence[Any]]) -> None:
        np = numerics()
        dimensions = len(batch[0][6]) // 4
        if self._index is None:
            self._index = VectorIndex(dimensions)
        if any(len(row[6]) != 4 * self._index.dimensions for row in batch):
            raise EmbedderMismatchError(
                f"the stored vectors of {self._embedder} have different lengths: embed again",
                stored=[self._embedder],
            )
        vectors = np.frombuffer(b"".join(row[6] for row in batch), "<f4")
        self._index.append(vectors.reshape(len(batch), self._index.dimensions))
        codes = [self._codes.setdefault(tuple(row[2:5]), len(self._codes)) for row in batch]
        infinite = float("inf")
        self._some_expire = self._some_expire or any(row[5] is not None for row in batch)
        expires = [infinite if row[5] is None else row[5] for row in batch]
        self._rows = np.append(self._rows, np.array([row[0] for row in batch], np.int64))
        self._alive = np.append(self._alive, np.ones(len(batch), bool))
        self._scopes = np.append(self._scopes, np.array(codes, np.int32))
        self._expires = np.append(self._expires, np.array(expires, np.float64))

    def _remove(self, rows: Iterable[int]) -> None:
        np = numerics()
        gone = np.fromiter(rows, np.int64)
        if len(gone):
            self._alive &= ~np.isin(self._rows, gone)

    def _compact(self) -> None:
        """Release the vectors of removed items when they are a quarter of all."""
        if self._index is None or self._alive.sum() * 4 >= len(self._alive) * 3:
            return
        self._index.keep(self._alive)
        for name in ("_rows", "_scopes", "_expires"):
            setattr(self, name, getattr(self, name)[self._alive])
        self._alive = self._alive[self._alive]
