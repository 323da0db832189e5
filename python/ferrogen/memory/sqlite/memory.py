"""A memory in an SQLite file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen._core import CancellationToken
from ferrogen.components.component import Component
from ferrogen.components.model import ComponentModel
from ferrogen.exceptions import MemoryContentError, MemoryQueryError, MemoryStoreError
from ferrogen.memory.content import MemoryContent
from ferrogen.memory.embedders.embedder import Embedder
from ferrogen.memory.filters import ID, Filter
from ferrogen.memory.items import (
    MemoryItem,
    NewItem,
    Scope,
    checked_importance,
    timestamp,
    ttl_seconds,
)
from ferrogen.memory.recall import DEFAULT_TEMPLATE, query_text
from ferrogen.memory.retention import Deduplication, Quota
from ferrogen.memory.search import Search, SearchOptions, SearchResult
from ferrogen.memory.searchable import SearchableMemory
from ferrogen.memory.sqlite import maintenance, transfer
from ferrogen.memory.sqlite.conditions import Condition, compile_filter, in_scope, known_at
from ferrogen.memory.sqlite.database import Database
from ferrogen.memory.sqlite.embedding import EmbedderChange, ReembeddingProgress
from ferrogen.memory.sqlite.maintenance import MemoryStats
from ferrogen.memory.sqlite.retrieval import listed
from ferrogen.memory.sqlite.storage import Storage
from ferrogen.memory.sqlite.writing import Changes, delete, erase


class SqliteMemoryConfig(BaseModel):
    """The config of a `SqliteMemory`."""

    path: str
    name: str | None = None
    scope: Scope = Scope()
    embedder: ComponentModel | None = None
    embedder_change: EmbedderChange = "refuse"
    search: SearchOptions = SearchOptions()
    deduplication: Deduplication | None = None
    quota: Quota | None = None
    ttl: float | None = None
    recall_messages: int = 3
    template: str = DEFAULT_TEMPLATE
    busy_timeout: float = 5.0


class SqliteMemory(SearchableMemory, Component[SqliteMemoryConfig]):
    """A memory in one SQLite file, searched by text, by vectors, or by both.

    What a call that writes has acknowledged survives a crash of the process and a power cut, and
    a call that fails has written nothing. Any number of processes may use the file: one writes at
    a time, and the others read meanwhile. Nothing blocks the event loop.

    Args:
        path: The file; made if there is none. ``":memory:"`` keeps everything in memory.
        name: A name for it.
        scope: The namespace: items of others are neither found nor changed.
        embedder: Computes vectors; without one, searches are by text.
        embedder_change: The treatment of vectors of another embedder: ``"refuse"``
            raises an `EmbedderMismatchError`, ``"reembed"`` replaces them in the background.
        search: How to search, if a search says nothing else.
        deduplication: Which new items are duplicates; by default none.
        quota: How much is kept; by default everything.
        ttl: The lifetime of items that have none of their own, in seconds or as a timedelta.
        recall_messages: From how many of the newest messages `update_context` makes its query.
        template: The message of `update_context`, with ``{memories}`` for the items.
        busy_timeout: How many seconds to wait for other processes that write.
        clock: Returns the time in seconds since 1970; for tests.

    Raises:
        MemoryContentError: An argument is invalid.

    Example:
        ```python
        import asyncio
        from pathlib import Path
        from tempfile import TemporaryDirectory

        from ferrogen.memory import MemoryContent, Scope, SqliteMemory


        async def main(path: Path) -> None:
            memory = SqliteMemory(path, scope=Scope(user="ada"))
            await memory.add(MemoryContent(content="Ada likes tea.", mime_type="text/plain"))
            await memory.close()

            memory = SqliteMemory(path, scope=Scope(user="ada"))
            found = await memory.query("Does she like coffee?")
            assert [content.content for content in found.results] == ["Ada likes tea."]
            await memory.close()


        with TemporaryDirectory() as folder:
            asyncio.run(main(Path(folder) / "memory.sqlite"))
        ```
    """

    __module__ = "ferrogen.memory"

    component_config_schema = SqliteMemoryConfig
    component_provider_override = "ferrogen.memory.SqliteMemory"

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        scope: Scope | None = None,
        embedder: Embedder | None = None,
        embedder_change: EmbedderChange = "refuse",
        search: SearchOptions | None = None,
        deduplication: Deduplication | None = None,
        quota: Quota | None = None,
        ttl: float | timedelta | None = None,
        recall_messages: int = 3,
        template: str = DEFAULT_TEMPLATE,
        busy_timeout: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if embedder_change not in {"refuse", "reembed"}:
            raise MemoryContentError(
                f'embedder_change is "refuse" or "reembed", not {embedder_change!r}'
            )
        if not busy_timeout >= 0:
            raise MemoryContentError(f"busy_timeout is not negative: {busy_timeout!r}")
        super().__init__(scope, recall_messages, template)
        self._path = os.fsdecode(path)
        self._name = name or "sqlite_memory"
        self._embedder = embedder
        self._embedder_change: EmbedderChange = embedder_change
        self._search = search or SearchOptions()
        self._busy_timeout = float(busy_timeout)
        self._storage = Storage(
            Database(self._path, self._busy_timeout),
            embedder,
            embedder_change,
            deduplication,
            quota,
            ttl_seconds(ttl),
            clock,
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
        condition = in_scope(self._scope)
        await self._storage.database.write(lambda connection: erase(connection, condition))

    async def close(self) -> None:
        """Close the file."""
        if not self._is_view:
            await self._storage.close()

    # ---- items

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
            MemoryStoreError: The file cannot be written.
        """
        new = [each if isinstance(each, NewItem) else NewItem(content=each) for each in items]
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
            MemoryStoreError: The file cannot be read.
        """
        chosen = self._search.changed(**options)
        if chosen.mode == "auto":
            chosen = chosen.changed(mode="text" if self._embedder is None else "hybrid")
        if self._embedder is None and (chosen.mode != "text" or chosen.mmr is not None):
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
        if (limit is not None and limit < 0) or offset < 0:
            raise MemoryQueryError(f"limit and offset are not negative: {limit}, {offset}")
        known = known_at(None if at is None else _checked_time(at), self._storage.now())
        condition = in_scope(self._scope) & known & compile_filter(where)
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
        condition = in_scope(self._scope) & compile_filter(ID.equals(id))
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
        if content is not None:
            NewItem(content=content, text=text, source=source, message_id=message_id)
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
        condition, now = self._chosen(which), self._storage.now()
        return await self._storage.database.write(
            lambda connection: delete(connection, condition, now)
        )

    async def erase(self, which: str | Filter) -> int:
        """Erase items with all their versions; return how many versions there were.

        Args:
            which: The id of an item, or a filter, that one of its versions fulfills.
        """
        chosen = ID.equals(which) if isinstance(which, str) else which
        condition = in_scope(self._scope) & compile_filter(chosen)
        return await self._storage.database.write(lambda connection: erase(connection, condition))

    # ---- the file

    async def forget(
        self, *, user: str | None = None, agent: str | None = None, conversation: str | None = None
    ) -> int:
        """Erase a user, an agent or a conversation, so that no byte of it stays in the files.

        Table, full-text index, vectors and write-ahead log are cleaned, which takes as long as to
        write the file anew.

        Args:
            user: The id of a user.
            agent: The id or name of an agent.
            conversation: The id of a conversation.

        Returns:
            How many versions of items were erased.

        Raises:
            MemoryQueryError: Nothing is named.
            MemoryBusyError: The items are erased, but other processes read the write-ahead log,
                where traces may be left: call `vacuum` later.
        """
        named = Scope(user=user, agent=agent, conversation=conversation)
        if not named.levels():
            raise MemoryQueryError("name a user, an agent or a conversation; or call clear()")
        scope = named.within(self._scope)
        if self._storage.vectors is not None:
            self._storage.vectors.vectorizer.forget()
        return await self._storage.database.maintain(
            lambda connection: maintenance.forget(connection, scope, self._busy_timeout)
        )

    async def stats(self) -> MemoryStats:
        """Return what the namespace contains, and the sizes of the files."""
        now = self._storage.now()
        return await self._storage.database.read(
            lambda connection: maintenance.statistics(connection, self._scope, self._path, now)
        )

    async def vacuum(self) -> None:
        """Release unused space, and remove every trace of erased items from the files."""
        await self._storage.database.maintain(
            lambda connection: maintenance.vacuum(connection, self._busy_timeout)
        )

    async def rebuild(self) -> None:
        """Build the full-text index anew, and check the file.

        Raises:
            MemoryStoreError: The file is damaged.
        """
        faults = await self._storage.database.write(maintenance.rebuild)
        if faults:
            raise MemoryStoreError(f"the memory {self._path} is damaged: {'; '.join(faults)}")

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
            lambda connection: transfer.export_lines(connection, file, self._scope, vectors=vectors)
        )

    async def import_items(self, path: str | os.PathLike[str]) -> int:
        """Read a file that `export` has written, all of it or nothing; return how many versions.

        Versions that are there already are skipped. Vectors that are missing are computed.

        Args:
            path: The file.
        """
        file = Path(path)
        count = await self._storage.database.write(
            lambda connection: transfer.import_lines(connection, file, self._scope)
        )
        if self._storage.vectors is not None:
            await self._storage.vectors.reembed(None)
        return count

    async def _read(self, condition: Condition, limit: int | None, offset: int) -> list[MemoryItem]:
        return await self._storage.database.read(
            lambda connection: listed(connection, condition, limit, offset)
        )

    def _chosen(self, which: str | Filter) -> Condition:
        chosen = ID.equals(which) if isinstance(which, str) else which
        current = in_scope(self._scope) & known_at(None, self._storage.now())
        return current & compile_filter(chosen)

    def _to_config(self) -> SqliteMemoryConfig:
        return SqliteMemoryConfig(
            path=self._path,
            name=self._name,
            scope=self._scope,
            embedder=None if self._embedder is None else self._embedder.dump_component(),
            embedder_change=self._embedder_change,
            search=self._search,
            deduplication=self._storage.deduplication,
            quota=self._storage.quota,
            ttl=self._storage.ttl,
            recall_messages=self._recall_messages,
            template=self._template,
            busy_timeout=self._busy_timeout,
        )

    @classmethod
    def _from_config(cls, config: SqliteMemoryConfig) -> Self:
        given = dict(config)
        if config.embedder is not None:
            given["embedder"] = Embedder.load_component(config.embedder)
        return cls(given.pop("path"), **given)


def _checked_time(at: datetime) -> float:
    try:
        return timestamp("at", at)
    except MemoryContentError as error:
        raise MemoryQueryError(str(error)) from None
