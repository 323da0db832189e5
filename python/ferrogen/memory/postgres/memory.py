"""A memory in PostgreSQL with pgvector."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from hashlib import blake2b
from typing import Any

from pydantic import SecretStr
from typing_extensions import Self

from ferrogen.components.component import Component
from ferrogen.exceptions import MemoryContentError, MemoryQueryError
from ferrogen.memory.embedders.embedder import Embedder
from ferrogen.memory.items import Scope
from ferrogen.memory.postgres.backend import PostgresBackend
from ferrogen.memory.postgres.database import PostgresDatabase
from ferrogen.memory.recall import DEFAULT_TEMPLATE
from ferrogen.memory.retention import Deduplication, Quota
from ferrogen.memory.search import SearchOptions
from ferrogen.memory.sql.backend import Connection
from ferrogen.memory.sql.conditions import in_scope
from ferrogen.memory.sql.embedding import EmbedderChange
from ferrogen.memory.sql.memory import SqlMemory, SqlMemoryConfig
from ferrogen.memory.sql.statistics import MemoryStats, counts

_LONGEST_NAME = 63


class PostgresMemoryConfig(SqlMemoryConfig):
    """The config of a `PostgresMemory`."""

    conninfo: SecretStr
    schema_name: str = "ferrogen_memory"
    busy_timeout: float = 5.0
    connections: int = 4


class PostgresMemory(SqlMemory, Component[PostgresMemoryConfig]):
    """A memory in a schema of PostgreSQL, for programs on many machines.

    It needs the ``postgres`` extra, and pgvector in the server. Searches, filters and the life of
    items are those of `SqliteMemory`, except that texts are ranked by ``ts_rank_cd``. Transactions
    that write wait for each other, and readers do not wait.

    Args:
        conninfo: The address of the database, as libpq reads it, such as
            ``"postgresql://host/db"``. What it leaves out is from the environment, such as
            ``PGPASSWORD``.
        schema_name: The schema; made if there is none.
        name: A name for it.
        scope: The namespace: items of others are neither found nor changed.
        embedder: Computes vectors; without one, searches are by text.
        embedder_change: What to do if there are vectors of another embedder: ``"refuse"``
            raises an `EmbedderMismatchError`, ``"reembed"`` replaces them in the background.
        search: How to search, if a search says nothing else.
        deduplication: Which new items are duplicates; by default none.
        quota: How much is kept; by default everything.
        ttl: The lifetime of items that have none of their own, in seconds or as a timedelta.
        recall_messages: From how many of the newest messages `update_context` makes its query.
        template: The message of `update_context`, with ``{memories}`` for the items.
        busy_timeout: How many seconds to wait for a connection, and for others that write.
        connections: The most connections of this memory.
        clock: Returns the time in seconds since 1970; for tests.

    Raises:
        MissingDependencyError: psycopg is not installed.
        MemoryContentError: An argument is invalid.
        MemoryStoreError: The address cannot be read.

    Example:
        ```python
        from ferrogen.memory import MemoryContent, PostgresMemory, Scope


        async def remember(address: str) -> None:
            async with PostgresMemory(address, scope=Scope(user="ada")) as memory:
                await memory.add(MemoryContent(content="Ada likes tea.", mime_type="text/plain"))
                (result,) = await memory.search("Which tea?", limit=1)
                assert result.item.content.content == "Ada likes tea."
        ```
    """

    __module__ = "ferrogen.memory"

    component_config_schema = PostgresMemoryConfig
    component_provider_override = "ferrogen.memory.PostgresMemory"

    def __init__(
        self,
        conninfo: str | SecretStr,
        *,
        schema_name: str = "ferrogen_memory",
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
        connections: int = 4,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not busy_timeout >= 0 or not connections >= 1:
            raise MemoryContentError(
                "busy_timeout is not negative, and connections is at least 1; not "
                f"{busy_timeout!r} and {connections!r}"
            )
        if not 1 <= len(schema_name.encode(errors="replace")) <= _LONGEST_NAME:
            raise MemoryContentError(
                f"the name of a schema has 1 to {_LONGEST_NAME} bytes, not {schema_name!r}"
            )
        self._conninfo = conninfo if isinstance(conninfo, SecretStr) else SecretStr(conninfo)
        self._schema_name = schema_name
        self._busy_timeout = float(busy_timeout)
        self._connections = connections
        self._database = PostgresDatabase(
            self._conninfo.get_secret_value(), schema_name, self._busy_timeout, connections
        )
        super().__init__(
            PostgresBackend(self._database, None if embedder is None else embedder.id),
            embedder=embedder,
            embedder_change=embedder_change,
            name=name or "postgres_memory",
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
        """Erase a user, an agent or a conversation, and write the table and its indexes anew.

        Nothing else can use the table meanwhile. The server's write-ahead log, its replicas and
        its backups are not changed.

        Args:
            user: The id of a user.
            agent: The id or name of an agent.
            conversation: The id of a conversation.

        Returns:
            How many versions of items were erased.

        Raises:
            MemoryQueryError: Nothing is named.
            MemoryBusyError: The items are erased, but others use the table, so that traces may
                be left: call `vacuum` later.
        """
        scope = self._forgotten(user, agent, conversation)
        erased = await self._storage.erase(in_scope(scope))
        await self.vacuum()
        return erased

    async def vacuum(self) -> None:
        """Write the table and its indexes anew, without what was erased.

        Raises:
            MemoryBusyError: Others use the table for too long.
        """
        await self._database.maintain(
            lambda connection: connection.execute("VACUUM (FULL, ANALYZE) items")
        )

    async def stats(self) -> MemoryStats:
        """Return what the namespace contains, and the size of the table with its indexes."""
        now = self._storage.now()

        def read(connection: Connection) -> MemoryStats:
            (size,) = connection.execute("SELECT pg_total_relation_size('items')").fetchone()
            return MemoryStats(**counts(connection, self._scope, now), database_bytes=int(size))

        return await self._database.read(read)

    async def create_vector_index(self) -> None:
        """Index the vectors of the embedder by HNSW.

        Searches are then approximate, and faster with many items. Without it they are exact.

        Raises:
            MemoryQueryError: The memory has no embedder, or there are no vectors yet.
        """
        embedder = self._checked_embedder()

        def create(connection: Any) -> None:
            from psycopg import sql

            found = connection.execute(
                "SELECT vector_dims(vector) FROM items WHERE embedder = ? "
                "AND valid_until IS NULL LIMIT 1",
                (embedder,),
            ).fetchone()
            if found is None:
                raise MemoryQueryError("there are no vectors to index: add items first")
            statement = sql.SQL(
                "CREATE INDEX IF NOT EXISTS {} ON items USING hnsw "
                "((vector::VECTOR({})) vector_ip_ops) WHERE valid_until IS NULL AND embedder = {}"
            ).format(
                sql.Identifier(_index_name(embedder)), sql.Literal(found[0]), sql.Literal(embedder)
            )
            connection.connection.execute(statement)

        await self._database.maintain(create)

    async def drop_vector_index(self) -> None:
        """Remove the index of `create_vector_index`, so that searches are exact again.

        Raises:
            MemoryQueryError: The memory has no embedder.
        """
        name = _index_name(self._checked_embedder())
        await self._database.maintain(
            lambda connection: connection.execute(f"DROP INDEX IF EXISTS {name}")
        )

    def _checked_embedder(self) -> str:
        if self._embedder is None:
            raise MemoryQueryError("a memory without an embedder has no vectors: pass one")
        return self._embedder.id

    def _to_config(self) -> PostgresMemoryConfig:
        return PostgresMemoryConfig(
            conninfo=self._conninfo,
            schema_name=self._schema_name,
            busy_timeout=self._busy_timeout,
            connections=self._connections,
            **self._settings(),
        )

    @classmethod
    def _from_config(cls, config: PostgresMemoryConfig) -> Self:
        return cls(**config.arguments())


def _index_name(embedder: str) -> str:
    return f"items_near_{blake2b(embedder.encode(), digest_size=8).hexdigest()}"
