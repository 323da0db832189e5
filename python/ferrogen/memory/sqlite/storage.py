"""The file of a memory with its rules, shared by a memory and the views of its namespaces."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace

from ferrogen._core import CancellationToken
from ferrogen.exceptions import MemoryContentError
from ferrogen.memory.embedders.embedder import Embedder
from ferrogen.memory.items import NewItem, Scope, timestamp
from ferrogen.memory.retention import Deduplication, Quota
from ferrogen.memory.search import Search, SearchResult
from ferrogen.memory.sqlite.conditions import Condition, compile_filter
from ferrogen.memory.sqlite.database import Database
from ferrogen.memory.sqlite.duplicates import DuplicateFinder
from ferrogen.memory.sqlite.embedding import EmbedderChange, VectorStore
from ferrogen.memory.sqlite.encoding import encode
from ferrogen.memory.sqlite.quotas import enforce
from ferrogen.memory.sqlite.retrieval import Retrieval, listed
from ferrogen.memory.sqlite.writing import (
    Changes,
    PreparedItem,
    insert,
    lifetime,
    purge_expired,
    update,
)

_NEWEST_FIRST = 0.0


class Storage:
    """A file, its vectors, and the rules for what it keeps.

    Args:
        database: The file.
        embedder: Computes vectors, if there are to be any.
        change: The treatment of vectors of other embedders.
        deduplication: Which items are duplicates.
        quota: How much is kept.
        ttl: The lifetime of items that have none of their own, in seconds.
        clock: Returns the time in seconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        embedder: Embedder | None,
        change: EmbedderChange,
        deduplication: Deduplication | None,
        quota: Quota | None,
        ttl: float | None,
        clock: Callable[[], float],
    ) -> None:
        self.database = database
        self.vectors = None if embedder is None else VectorStore(database, embedder, change)
        self.deduplication = deduplication
        self.quota = quota
        self.ttl = ttl
        self._clock = clock
        if deduplication is not None and deduplication.near is not None and embedder is None:
            raise MemoryContentError("finding similar items needs an embedder: pass one")

    def now(self) -> float:
        """Return the time, to the microsecond, which is what a datetime can hold."""
        return round(self._clock(), 6)

    async def add(
        self, items: Sequence[NewItem], scope: Scope, token: CancellationToken | None
    ) -> list[str]:
        """Add items in one transaction, all or none of them; return their ids."""
        now = self.now()
        prepared = [
            PreparedItem(
                item=item,
                scope=item.scope.within(scope),
                encoded=encode(item.content, item.text),
                vector=None,
                created=now if item.created_at is None else timestamp("", item.created_at),
                ttl=lifetime(item, self.ttl),
            )
            for item in items
        ]
        if not prepared:
            return []
        if self.vectors is not None:
            vectors = await self.vectors.of_contents([each.encoded for each in prepared], token)
            prepared = [
                replace(each, vector=vector) for each, vector in zip(prepared, vectors, strict=True)
            ]
        finder = DuplicateFinder(self.deduplication, self.vectors, now)
        await finder.prepare(self.database, prepared)

        def write(connection: sqlite3.Connection) -> list[str]:
            if self.vectors is not None:
                self.vectors.others(connection)  # another process may have added some meanwhile
            purge_expired(connection, now)
            ids, rows = insert(
                connection,
                prepared,
                None if self.vectors is None else self.vectors.embedder,
                lambda each: finder.duplicate(connection, each),
            )
            if self.quota is not None:
                enforce(connection, self.quota, {each.scope for each in prepared}, rows)
            return ids

        return await self.database.write(write, token)

    async def update(
        self, condition: Condition, changes: Changes, token: CancellationToken | None
    ) -> list[str]:
        """Write new versions of the current items that fulfill a condition."""
        vectors: dict[str, bytes] = {}
        if changes.content is not None or changes.text is not None:
            text = changes.text
            if changes.content is not None:
                text = encode(changes.content, changes.text).text
            if self.vectors is not None and text is not None and text.strip():
                self.vectors.replace(await self.database.read(self.vectors.others))
                (vectors[text],) = await self.vectors.vectorizer.stored([text], token)

        def vector_of(text: str) -> tuple[bytes | None, str | None]:
            vector = vectors.get(text)
            return vector, None if vector is None or not self.vectors else self.vectors.embedder

        now = self.now()
        return await self.database.write(
            lambda connection: update(connection, condition, changes, vector_of, now), token
        )

    async def search(
        self, search: Search, scope: Scope, token: CancellationToken | None
    ) -> list[SearchResult]:
        """Return the results of a search in a namespace, the best first.

        A query without any text finds the newest items, with a score of 0.
        """
        compile_filter(search.where)
        options, now = search.options, self.now()
        if not search.text.strip():
            return await self._newest(search, scope, now, token)
        vectors = self.vectors if options.mode != "text" or options.mmr is not None else None
        query_vector = None
        if vectors is not None and options.mode != "text":
            query_vector = await vectors.vectorizer.query(search.text, token)

        def read(connection: sqlite3.Connection) -> tuple[list[str], list[SearchResult]]:
            if vectors is None:
                return [], Retrieval(connection, search, scope, now).run()
            others = vectors.others(connection)
            retrieval = Retrieval(
                connection, search, scope, now, query_vector, vectors.embedder, vectors.cache
            )
            return others, retrieval.run()

        others, results = await self.database.read(read, token)
        if vectors is not None:
            vectors.replace(others)
        return results

    async def _newest(
        self, search: Search, scope: Scope, now: float, token: CancellationToken | None
    ) -> list[SearchResult]:
        condition = Retrieval(None, search, scope, now).condition  # type: ignore[arg-type]
        items = await self.database.read(
            lambda connection: listed(connection, condition, search.options.limit, 0), token
        )
        return [SearchResult(item=item, score=_NEWEST_FIRST) for item in items]

    async def close(self) -> None:
        """Close the file."""
        if self.vectors is not None:
            await self.vectors.close()
        await self.database.close()
