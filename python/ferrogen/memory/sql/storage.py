"""The database of a memory with its rules, shared by a memory and the views of its namespaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from ferrogen._core import CancellationToken
from ferrogen.exceptions import MemoryContentError
from ferrogen.memory.embedders.embedder import Embedder
from ferrogen.memory.items import NewItem, Scope, timestamp
from ferrogen.memory.retention import Deduplication, Quota
from ferrogen.memory.search import Search, SearchResult
from ferrogen.memory.sql.backend import Backend, Connection
from ferrogen.memory.sql.conditions import Condition
from ferrogen.memory.sql.embedding import EmbedderChange, VectorStore
from ferrogen.memory.sql.encoding import encode
from ferrogen.memory.sql.retention import enforce
from ferrogen.memory.sql.retrieval import condition_of, listed
from ferrogen.memory.sql.writing import (
    Changes,
    PreparedItem,
    delete,
    erase,
    insert,
    lifetime,
    next_change,
    purge_expired,
    update,
)

ResultT = TypeVar("ResultT")

_NEWEST_FIRST = 0.0


class Storage:
    """A database, its vectors, and the rules for what it keeps.

    Args:
        backend: The database.
        embedder: Computes vectors, if there are to be any.
        change: The treatment of vectors of other embedders.
        deduplication: Which items are duplicates.
        quota: How much is kept.
        ttl: The lifetime of items that have none of their own, in seconds.
        clock: Returns the time in seconds since 1970.
    """

    def __init__(
        self,
        backend: Backend,
        embedder: Embedder | None,
        change: EmbedderChange,
        deduplication: Deduplication | None,
        quota: Quota | None,
        ttl: float | None,
        clock: Callable[[], float],
    ) -> None:
        self.backend = backend
        self.database = backend.database
        self.vectors = None if embedder is None else VectorStore(backend, embedder, change)
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
        finder = self.backend.duplicates(self.deduplication, now)
        await finder.prepare(prepared)

        def write(connection: Connection) -> list[str]:
            next_change(connection)
            if self.vectors is not None:
                self.vectors.others(connection)  # another process may have added some meanwhile
            purge_expired(connection, now)
            ids, rows = insert(
                connection,
                self.backend,
                prepared,
                lambda each: finder.duplicate(connection, each),
            )
            if self.quota is not None:
                scopes = {each.scope for each in prepared}
                enforce(connection, self.backend, self.quota, scopes, rows)
            return ids

        return await self.write(write, token)

    async def write(
        self, work: Callable[[Connection], ResultT], token: CancellationToken | None = None
    ) -> ResultT:
        """Run work in a transaction."""

        def writing(connection: Connection) -> ResultT:
            result = work(connection)
            self.backend.before_commit(connection)
            return result

        return await self.database.write(writing, token)

    async def delete(self, condition: Condition) -> int:
        """End the validity of current items; return how many there were."""
        now = self.now()
        return await self.write(lambda connection: delete(connection, condition, now))

    async def erase(self, condition: Condition) -> int:
        """Erase items with all their versions; return how many versions there were."""
        return await self.write(lambda connection: erase(connection, condition))

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

        now = self.now()
        return await self.write(
            lambda connection: update(connection, self.backend, condition, changes, vectors, now),
            token,
        )

    async def search(
        self, search: Search, scope: Scope, token: CancellationToken | None
    ) -> list[SearchResult]:
        """Return the results of a search in a namespace, the best first.

        A query without any text finds the newest items, with a score of 0.
        """
        self.backend.compile(search.where)
        options, now = search.options, self.now()
        if not search.text.strip():
            return await self._newest(search, scope, now, token)
        vectors = self.vectors if options.mode != "text" or options.mmr is not None else None
        query_vector = None
        if vectors is not None and options.mode != "text":
            query_vector = await vectors.vectorizer.query(search.text, token)

        def read(connection: Connection) -> tuple[list[str], list[SearchResult]]:
            others = [] if vectors is None else vectors.others(connection)
            return others, self.backend.retrieval(
                connection, search, scope, now, query_vector
            ).run()

        others, results = await self.database.read(read, token)
        if vectors is not None:
            vectors.replace(others)
        return results

    async def _newest(
        self, search: Search, scope: Scope, now: float, token: CancellationToken | None
    ) -> list[SearchResult]:
        condition = condition_of(self.backend, search, scope, now)
        items = await self.database.read(
            lambda connection: listed(connection, condition, search.options.limit, 0), token
        )
        return [SearchResult(item=item, score=_NEWEST_FIRST) for item in items]

    async def close(self) -> None:
        """Close the database."""
        if self.vectors is not None:
            await self.vectors.close()
        await self.database.close()
