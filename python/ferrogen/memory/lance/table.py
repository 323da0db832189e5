"""The table of a memory in LanceDB."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

from ferrogen.exceptions import (
    EmbedderMismatchError,
    FerrogenError,
    MemoryStoreError,
    MissingDependencyError,
)
from ferrogen.memory.items import MemoryItem, from_timestamp
from ferrogen.memory.lance.expressions import literal
from ferrogen.memory.sql.encoding import decode, scope_of

NAME = "items"
_TEXTS = ("id", "user", "agent", "conversation", "source", "message_id", "embedder")
_MORE_TEXTS = ("kind", "mime_type", "metadata", "text")
_NUMBERS = ("version", "importance", "created_at", "expires_at")
COLUMNS = (*_TEXTS, *_MORE_TEXTS, *_NUMBERS, "content")
"""The columns that `item_of` reads: all but the vector."""


class LanceTable:
    """Opens the table when it is first used, and creates it with the first vector.

    Args:
        path: The folder.
        embedder: The id of the embedder of the vectors.
    """

    def __init__(self, path: str, embedder: str) -> None:
        try:
            import lancedb
        except ImportError as error:
            raise MissingDependencyError(
                "a LanceMemory needs lancedb: pip install 'ferrogen[lancedb]'"
            ) from error
        self._connect: Any = lancedb.connect_async
        self._path = path
        self._embedder = embedder
        self._lock = asyncio.Lock()
        self._database: Any = None
        self._table: Any = None
        self._closed = False

    @contextmanager
    def errors(self) -> Any:
        """Turn LanceDB's errors, which have no common class, into ours."""
        try:
            yield
        except (FerrogenError, asyncio.CancelledError):
            raise
        except Exception as error:
            raise MemoryStoreError(f"the memory {self._path} cannot be used: {error}") from error

    async def opened(self, dimensions: int | None = None) -> Any:
        """Return the table; None if there is none and no number of dimensions to create it with.

        Raises:
            EmbedderMismatchError: It has vectors of another embedder.
            MemoryStoreError: The folder cannot be used, or the memory is closed.
        """
        async with self._lock:
            if self._closed:
                raise MemoryStoreError(f"the memory in {self._path} is closed")
            if self._table is None:
                if self._database is None:
                    self._database = await self._connect(self._path)
                if NAME in (await self._database.list_tables()).tables:
                    self._table = await self._checked(await self._database.open_table(NAME))
                elif dimensions is not None:
                    self._table = await self._created(dimensions)
        return self._table

    async def _checked(self, table: Any) -> Any:
        other = f"`embedder` IS NOT NULL AND `embedder` != {literal(self._embedder)}"
        found = await table.query().where(other).select(["embedder"]).limit(1).to_list()
        if found:
            stored = str(found[0]["embedder"])
            raise EmbedderMismatchError(
                f"the memory {self._path} has vectors of {stored}, which cannot be compared with "
                f"those of {self._embedder}: use the former embedder, or another folder",
                stored=[stored],
            )
        return table

    async def _created(self, dimensions: int) -> Any:
        import pyarrow
        from lancedb.index import FTS

        fields = [(name, pyarrow.string()) for name in (*_TEXTS, *_MORE_TEXTS)]
        fields += [(name, pyarrow.float64()) for name in _NUMBERS]
        fields.append(("content", pyarrow.large_binary()))
        fields.append(("vector", pyarrow.list_(pyarrow.float32(), dimensions)))
        table = await self._database.create_table(NAME, schema=pyarrow.schema(fields))
        await table.create_index("text", config=FTS(stem=True, remove_stop_words=False))
        return table

    async def close(self) -> None:
        """Release the folder."""
        async with self._lock:
            self._closed = True
            for one in (self._table, self._database):
                if one is not None:
                    one.close()
            self._table = self._database = None


def item_of(row: dict[str, Any]) -> MemoryItem:
    """Return the item in a row."""
    kind, content = row["kind"], row["content"]
    created = from_timestamp(row["created_at"])
    expires = row["expires_at"]
    return MemoryItem(
        id=row["id"],
        version=int(row["version"]),
        scope=scope_of(row["user"], row["agent"], row["conversation"]),
        source=row["source"],
        message_id=row["message_id"],
        importance=row["importance"],
        created_at=created,
        valid_from=created,
        valid_until=None,
        expires_at=None if expires is None else from_timestamp(expires),
        embedder=row["embedder"],
        content=decode(
            kind,
            row["mime_type"],
            row["metadata"],
            content if kind == "bytes" else content.decode(),
        ),
    )


def listed(ids: Sequence[str]) -> str:
    """Return the condition that items have one of these ids."""
    return f"`id` IN ({', '.join(map(literal, ids))})"
