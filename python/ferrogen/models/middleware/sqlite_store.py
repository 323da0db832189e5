"""Cache store for text in an SQLite file, which several processes can share."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen._sqlite import enter_wal_mode
from ferrogen.components.cache_store import CacheStore
from ferrogen.components.component import Component
from ferrogen.exceptions import CacheStoreError, SerializationError
from ferrogen.models.middleware.settings import at_least

_SECONDS_FOR_LOCKS = 30.0
_TABLE = "CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value TEXT NOT NULL)"
_PUT = "INSERT OR REPLACE INTO entries VALUES (?, ?)"
# Rows are in the order of their last use: a row that is written gets the next rowid, and so does
# one that is read from a bounded store, unless it is the last already.
_USE = """
UPDATE entries SET rowid = (SELECT max(rowid) FROM entries) + 1
WHERE key = ? AND rowid < (SELECT max(rowid) FROM entries)
"""
_EVICT = """
DELETE FROM entries WHERE rowid IN (
    SELECT rowid FROM entries ORDER BY rowid LIMIT max(0, (SELECT count(*) FROM entries) - ?)
)
"""


class SqliteCacheStoreConfig(BaseModel):
    """The config of a `SqliteCacheStore`."""

    path: str
    max_entries: int | None = None


class SqliteCacheStore(CacheStore[str], Component[SqliteCacheStoreConfig]):
    """A store of text in an SQLite file, which outlives the process.

    Any number of threads and processes may use the file. Its methods wait for the disk; `Cached`
    calls them in a thread. After `close` it opens the file again when it is next used.

    Args:
        path: The file; made if there is none.
        max_entries: How many values are kept at most. The least recently used ones are evicted;
            reading counts as use in stores that have this limit.

    Example:
        ```python
        from pathlib import Path
        from tempfile import TemporaryDirectory

        from ferrogen.models.middleware import SqliteCacheStore

        with TemporaryDirectory() as folder:
            store = SqliteCacheStore(Path(folder) / "answers.sqlite")
            store.set("way", "left")
            store.close()
            assert store.get("way") == "left"
            store.close()
        ```
    """

    __module__ = "ferrogen.models.middleware"

    component_config_schema = SqliteCacheStoreConfig

    def __init__(self, path: str | os.PathLike[str], *, max_entries: int | None = None) -> None:
        at_least(1, max_entries=max_entries)
        self._path = os.fspath(path)
        self._max_entries = max_entries
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._process = 0

    def get(self, key: str, default: str | None = None) -> str | None:
        """Give the value under a key, or the default if there is none.

        Raises:
            CacheStoreError: The file cannot be read.
        """
        with self._open() as connection:
            found = connection.execute("SELECT value FROM entries WHERE key = ?", (key,)).fetchone()
            if found is None:
                return default
            if self._max_entries is not None:
                self._use(connection, key)
        return str(found[0])

    def set(self, key: str, value: str) -> None:
        """Keep a text under a key, in place of the one that was there.

        Raises:
            CacheStoreError: The file cannot be written.
            SerializationError: The value is not text.
        """
        if not isinstance(value, str):
            raise SerializationError(f"a SqliteCacheStore keeps text, not {type(value).__name__}")
        with self._open() as connection, connection:  # the second one commits
            connection.execute(_PUT, (key, value))
            if self._max_entries is not None:
                connection.execute(_EVICT, (self._max_entries,))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _use(self, connection: sqlite3.Connection, key: str) -> None:
        """Make an entry the most recently used one."""
        # The value is there, even if the file cannot be written now.
        with suppress(sqlite3.Error), connection:
            connection.execute(_USE, (key,))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._connection is None or self._process != os.getpid():  # after a fork
                    self._process = os.getpid()
                    self._connection = self._connect()
                yield self._connection
            except sqlite3.Error as error:
                raise CacheStoreError(f"{self._path} cannot be used as a cache: {error}") from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=_SECONDS_FOR_LOCKS, check_same_thread=False
        )
        try:
            enter_wal_mode(connection, timeout=_SECONDS_FOR_LOCKS)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_TABLE)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _to_config(self) -> SqliteCacheStoreConfig:
        return SqliteCacheStoreConfig(path=self._path, max_entries=self._max_entries)

    @classmethod
    def _from_config(cls, config: SqliteCacheStoreConfig) -> Self:
        return cls(config.path, max_entries=config.max_entries)
