"""A memory in an SQLite file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta

from typing_extensions import Self

from ferrogen.components.component import Component
from ferrogen.exceptions import MemoryContentError, MemoryStoreError
from ferrogen.memory.embedders.embedder import Embedder
from ferrogen.memory.items import Scope
from ferrogen.memory.recall import DEFAULT_TEMPLATE
from ferrogen.memory.retention import Deduplication, Quota
from ferrogen.memory.search import SearchOptions
from ferrogen.memory.sql.embedding import EmbedderChange
from ferrogen.memory.sql.memory import SqlMemory, SqlMemoryConfig
from ferrogen.memory.sql.statistics import MemoryStats
from ferrogen.memory.sqlite import maintenance
from ferrogen.memory.sqlite.backend import SqliteBackend
from ferrogen.memory.sqlite.database import Database


class SqliteMemoryConfig(SqlMemoryConfig):
    """The config of a `SqliteMemory`."""

    path: str
    busy_timeout: float = 5.0


class SqliteMemory(SqlMemory, Component[SqliteMemoryConfig]):
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
        if not busy_timeout >= 0:
            raise MemoryContentError(f"busy_timeout is not negative: {busy_timeout!r}")
        self._path = os.fsdecode(path)
        self._busy_timeout = float(busy_timeout)
        self._database = Database(self._path, self._busy_timeout)
        super().__init__(
            SqliteBackend(self._database, None if embedder is None else embedder.id),
            embedder=embedder,
            embedder_change=embedder_change,
            name=name or "sqlite_memory",
            scope=scope,
            search=search,
            deduplication=deduplication,
            quota=quota,
            ttl=ttl,
            recall_messages=recall_messages,
            template=template,
            clock=clock,
        )

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
        scope = self._forgotten(user, agent, conversation)
        return await self._database.maintain(
            lambda connection: maintenance.forget(connection, scope, self._busy_timeout)
        )

    async def stats(self) -> MemoryStats:
        """Return what the namespace contains, and the sizes of the files."""
        now = self._storage.now()
        return await self._database.read(
            lambda connection: maintenance.statistics(connection, self._scope, self._path, now)
        )

    async def vacuum(self) -> None:
        """Release unused space, and remove every trace of erased items from the files."""
        await self._database.maintain(
            lambda connection: maintenance.vacuum(connection, self._busy_timeout)
        )

    async def rebuild(self) -> None:
        """Build the full-text index anew, and check the file.

        Raises:
            MemoryStoreError: The file is damaged.
        """
        faults = await self._database.write(maintenance.rebuild)
        if faults:
            raise MemoryStoreError(f"the memory {self._path} is damaged: {'; '.join(faults)}")

    def _to_config(self) -> SqliteMemoryConfig:
        return SqliteMemoryConfig(
            path=self._path, busy_timeout=self._busy_timeout, **self._settings()
        )

    @classmethod
    def _from_config(cls, config: SqliteMemoryConfig) -> Self:
        return cls(**config.arguments())
