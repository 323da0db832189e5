"""Base class of memories in SQL databases."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ferrogen._core import CancellationToken
from ferrogen.exceptions import MemoryContentError, MemoryQueryError
from ferrogen.memory.content import MemoryContent
from ferrogen.memory.embedders.embedder import Embedder
from ferrogen.memory.filters import ID, Filter, chosen
from ferrogen.memory.items import (
    MemoryItem,
    NewItem,
    Scope,
    check_name,
    checked_importance,
    storable_text,
    timestamp,
    ttl_seconds,
)
from ferrogen.memory.recall import query_text
from ferrogen.memory.retention import Deduplication, Quota
from ferrogen.memory.search import Search, SearchOptions, SearchResult
from ferrogen.memory.searchable import SearchableMemory, SearchableMemoryConfig, new_items
from ferrogen.memory.sql import transfer
from ferrogen.memory.sql.backend import Backend
from ferrogen.memory.sql.conditions import Condition, in_scope, known_at
from ferrogen.memory.sql.embedding import EmbedderChange, ReembeddingProgress
from ferrogen.memory.sql.retrieval import listed
from ferrogen.memory.sql.storage import Storage
from ferrogen.memory.sql.writing import Changes


class SqlMemoryConfig(SearchableMemoryConfig):
    """The part of a config that all memories in SQL databases have."""

    name: str | None = None
    embedder_change: EmbedderChange = "refuse"
    deduplication: Deduplication | None = None
    quota: Quota | None = None
    ttl: float | None = None


class SqlMemory(SearchableMemory):
    """Items, searches, versions, deletion, export and import of a memory in an SQL database.

    Args:
        backend: The database.
        embedder: Computes vectors.
        embedder_change: What to do if there are vectors of another embedder.
        name: A name for it.
        scope: The namespace.
        search: How to search, if a search says nothing else.
        deduplication: Which new items are duplicates.
        quota: How much is kept.
        ttl: The lifetime of items that have none of their own, in seconds or as a timedelta.
        recall_messages: From how many of the newest messages `update_context` makes its query.
        template: The message of `update_context`, with ``{memories}`` for the items.
        clock: Returns the time in seconds since 1970.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        embedder: Embedder | None,
        embedder_change: EmbedderChange,
        name: str,
        scope: Scope | None,
        search: SearchOptions | None,
        deduplication: Deduplication | None,
        quota: Quota | None,
        ttl: float | timedelta | None,
        recall_messages: int,
        template: str,
        clock: Callable[[], float],
    ) -> None:
        if embedder_change not in {"refuse", "reembed"}:
            raise MemoryContentError(
                f'embedder_change is "refuse" or "reembed", not {embedder_change!r}'
            )
        super().__init__(embedder, scope, search, recall_messages, template)
        self._name = name
        self._embedder_change = embedder_change
        self._storage = Storage(
            backend, embedder, embedder_change, deduplication, quota, ttl_seconds(ttl), clock
        )

    @property
    def name(self) -> str:
        """The name."""
        return self._name

    @property
    def reembedding_progress(self) -> ReembeddingProgress | None:
        """How far a change of the embedder has got; None if there was none."""
        vectors = self._storage.vectors
        return None if vectors is None else vectors.progress

    async def clear(self) -> None:
        """Erase all items of the namespace, with their versions; see also `forget`."""
        await self._storage.erase(in_scope(self._scope))

    async def close(self) -> None:
        """Close the connections."""
        if not self._is_view:
            await self._storage.close()

    async def add_many(
        self,
        items: Iterable[NewItem | MemoryContent],
        cancellation_token: CancellationToken | None = None,
    ) -> list[str]:
        """Add items in one transaction, all or none of them.

        Args:
            items: The items.
            cancellation_token: Prevents it, if it is cancelled before it has begun.

        Returns:
            Their ids. Of a duplicate it is the id of the item that is there.

        Raises:
            MemoryContentError: An item cannot be stored.
            MemoryQuotaError: The quota does not permit them.
            MemoryStoreError: The database cannot be written.
        """
        new = new_items(items)
        return await self._storage.add(new, self._scope, cancellation_token)

    async def search(
        self,
        query: str | MemoryContent,
        *,
        where: Filter | None = None,
        at: datetime | None = None,
        cancellation_token: CancellationToken | None = None,
        **options: Any,
    ) -> list[SearchResult]:
        """Return the items that a search finds, the best first.

        Args:
            query: The text to search for; an empty one finds the newest items.
            where: The condition that items have to meet before they are ranked.
            at: Search the versions that were valid at this time.
            cancellation_token: Ends the search when it is cancelled.
            **options: Fields of `SearchOptions`, in place of those of this memory.

        Raises:
            MemoryQueryError: An argument is invalid.
            EmbedderMismatchError: The stored vectors are of another embedder.
            MemoryStoreError: The database cannot be read.
        """
        chosen = self._search.changed(**options)
        if chosen.mode == "auto":
            chosen = chosen.changed(mode="text" if self._storage.vectors is None else "hybrid")
        if self._storage.vectors is None and (chosen.mode != "text" or chosen.mmr is not None):
            raise MemoryQueryError(
                "vectors are searched by a memory with an embedder: pass one to its constructor"
            )
        if at is not None:
            _checked_time(at)
        search = Search(text=query_text(query), where=where, options=chosen, at=at)
        return await self._storage.search(search, self._scope, cancellation_token)

    async def items(
        self,
        where: Filter | None = None,
        *,
        limit: int | None = 100,
        offset: int = 0,
        at: datetime | None = None,
    ) -> list[MemoryItem]:
        """Return items that fulfill a filter, the newest first.

        Args:
            where: The filter.
            limit: The most items; None for all.
            offset: How many to skip.
            at: Return the version that was valid at this time.
        """
        numbers: tuple[Any, ...] = (0 if limit is None else limit, offset)
        for number in numbers:
            if not isinstance(number, int) or not 0 <= number < 2**62:
                raise MemoryQueryError(
                    f"limit and offset are numbers from 0: {limit!r}, {offset!r}"
                )
        known = known_at(None if at is None else _checked_time(at), self._storage.now())
        condition = in_scope(self._scope) & known & self._compiled(where)
        return await self._read(condition, limit, offset)

    async def get(self, id: str, *, at: datetime | None = None) -> MemoryItem | None:
        """Return the item with an id, or None.

        Args:
            id: The id.
            at: Return the version that was valid at this time.
        """
        found = await self.items(ID.equals(id), limit=1, at=at)
        return found[0] if found else None

    async def history(self, id: str) -> list[MemoryItem]:
        """Return all versions of an item, the first one first; also of a deleted one."""
        condition = in_scope(self._scope) & self._compiled(ID.equals(id))
        found = await self._read(condition, None, 0)
        return sorted(found, key=lambda item: item.version)

    async def update(
        self,
        which: str | Filter,
        *,
        content: MemoryContent | None = None,
        text: str | None = None,
        metadata: dict[str, Any] | None = None,
        importance: float | None = None,
        ttl: float | timedelta | None = None,
        source: str | None = None,
        message_id: str | None = None,
    ) -> list[str]:
        """Write a new version of items; the former one is kept for searches of the past.

        Args:
            which: The id of an item, or a filter.
            content: The new content; its metadata replaces the former one, if it has any.
            text: The text to search.
            metadata: Keys to set; those that are None are removed.
            importance: The new importance.
            ttl: The new lifetime, from now on.
            source: The author of the change.
            message_id: The message that the change is from.

        Returns:
            The ids of the items that were changed.
        """
        if content is not None and not isinstance(content, MemoryContent):
            raise MemoryContentError(f"content is a MemoryContent, not {type(content).__name__}")
        if metadata is not None and not isinstance(metadata, dict):
            raise MemoryContentError(f"metadata is a dict, not {type(metadata).__name__}")
        if text is not None:
            storable_text("the text of an item", text, with_nul=True)
        check_name("source", source)
        check_name("message_id", message_id)
        changes = Changes(
            content,
            text,
            metadata,
            None if importance is None else checked_importance(importance),
            ttl_seconds(ttl),
            source,
            message_id,
        )
        if changes == Changes():
            raise MemoryContentError("an update needs something to change")
        return await self._storage.update(self._chosen(which), changes, None)

    async def delete(self, which: str | Filter) -> int:
        """Delete items; searches of the past still find them. Return how many there were.

        Args:
            which: The id of an item, or a filter.
        """
        return await self._storage.delete(self._chosen(which))

    async def erase(self, which: str | Filter) -> int:
        """Erase items with all their versions; return how many versions there were.

        Args:
            which: The id of an item, or a filter, that one of its versions fulfills.
        """
        return await self._storage.erase(in_scope(self._scope) & self._compiled(chosen(which)))

    async def reembed(
        self, on_progress: Callable[[ReembeddingProgress], None] | None = None
    ) -> int:
        """Compute the vectors of all items that have none of the embedder of this memory.

        Args:
            on_progress: Called after each batch.

        Returns:
            How many items got a vector.
        """
        if self._storage.vectors is None:
            raise MemoryQueryError("a memory without an embedder has no vectors: pass one")
        return await self._storage.vectors.reembed(on_progress)

    async def export(self, path: str | os.PathLike[str], *, vectors: bool = False) -> int:
        """Write all versions of the items into a file of JSON lines; return how many.

        Args:
            path: The file; it is replaced as a whole.
            vectors: Whether vectors are written, too.
        """
        file = Path(path)
        return await self._storage.database.read(
            lambda connection: transfer.export_lines(
                connection, self._storage.backend, file, self._scope, vectors=vectors
            )
        )

    async def import_items(self, path: str | os.PathLike[str]) -> int:
        """Read a file that `export` has written, all of it or nothing; return how many versions.

        Versions that are there already are skipped. Vectors that are missing are computed.

        Args:
            path: The file.
        """
        file = Path(path)
        count = await self._storage.write(
            lambda connection: transfer.import_lines(
                connection, self._storage.backend, file, self._scope
            )
        )
        if self._storage.vectors is not None:
            await self._storage.vectors.reembed(None)
        return count

    def _settings(self) -> dict[str, Any]:
        return {
            **super()._settings(),
            "name": self._name,
            "embedder_change": self._embedder_change,
            "deduplication": self._storage.deduplication,
            "quota": self._storage.quota,
            "ttl": self._storage.ttl,
        }

    def _forgotten(self, user: str | None, agent: str | None, conversation: str | None) -> Scope:
        """Return a namespace to erase, and empty the cache of vectors."""
        named = Scope(user=user, agent=agent, conversation=conversation)
        if not named.levels():
            raise MemoryQueryError("name a user, an agent or a conversation; or call clear()")
        scope = named.within(self._scope)
        if self._storage.vectors is not None:
            self._storage.vectors.vectorizer.forget()
        return scope

    async def _read(self, condition: Condition, limit: int | None, offset: int) -> list[MemoryItem]:
        return await self._storage.database.read(
            lambda connection: listed(connection, condition, limit, offset)
        )

    def _chosen(self, which: str | Filter) -> Condition:
        current = in_scope(self._scope) & known_at(None, self._storage.now())
        return current & self._compiled(chosen(which))

    def _compiled(self, where: Filter | None) -> Condition:
        return self._storage.backend.compile(where)


def _checked_time(at: datetime) -> float:
    try:
        return timestamp("at", at)
    except MemoryContentError as error:
        raise MemoryQueryError(str(error)) from None
