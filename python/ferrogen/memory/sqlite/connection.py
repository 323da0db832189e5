"""Connections to the file of a memory, and the errors of SQLite."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ferrogen._sqlite import enter_wal_mode, is_locked, retry_while_locked
from ferrogen.exceptions import MemoryBusyError, MemoryContentError, MemoryStoreError
from ferrogen.memory.sqlite.schema import prepare

IN_MEMORY = ":memory:"
_CHECK_INDEX = "INSERT INTO items_text (items_text, rank) VALUES ('integrity-check', 1)"
_OLDEST_SQLITE = (3, 35, 0)


class Connector:
    """Opens connections to a file.

    Args:
        path: The file, or ``":memory:"``.
        busy_timeout: How many seconds a connection waits for other processes that write.
    """

    def __init__(self, path: str, busy_timeout: float) -> None:
        self.path = path
        self._busy_timeout = busy_timeout

    @property
    def is_in_memory(self) -> bool:
        """Whether there is no file."""
        return self.path == IN_MEMORY

    def connect(self) -> sqlite3.Connection:
        """Return a new connection.

        Raises:
            MemoryStoreError: The file cannot be opened, or is not a memory.
        """
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise MemoryStoreError(
                f"a memory needs SQLite 3.35 or newer, and Python has {sqlite3.sqlite_version}"
            )
        with self.errors():
            self._create_private_file()
            connection = sqlite3.connect(
                self.path,
                timeout=self._busy_timeout,
                isolation_level=None,  # transactions are begun here
                check_same_thread=False,  # closed by the thread that finalizes the memory
            )
            try:
                self._set_up(connection)
            except BaseException:
                connection.close()
                raise
        return connection

    def _create_private_file(self) -> None:
        """Create the file so that only its user can read it."""
        if self.is_in_memory:
            return
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise MemoryStoreError(
                f"the memory {self.path} cannot be opened: {error.strerror}"
            ) from error
        except ValueError as error:
            raise MemoryStoreError(f"{self.path!r} is not a path: {error}") from error

    def _set_up(self, connection: sqlite3.Connection) -> None:
        # Deleted content is overwritten. FULL: a commit is on disk before it is acknowledged.
        connection.execute("PRAGMA secure_delete = ON")
        enter_wal_mode(connection, timeout=self._busy_timeout)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA cache_size = -16000")
        retry_while_locked(lambda: prepare(connection, self.path), timeout=self._busy_timeout)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.DataError as error:
            raise MemoryContentError(f"SQLite cannot store this: {error}") from error
        except sqlite3.Error as error:
            if is_locked(error):
                raise MemoryBusyError(
                    f"another process has locked {self.path} for more than "
                    f"{self._busy_timeout:g} seconds: try again, or use a longer busy_timeout"
                ) from error
            if "interrupted" in str(error):
                raise asyncio.CancelledError from error
            raise MemoryStoreError(f"the memory {self.path} cannot be used: {error}") from error
        except OverflowError as error:
            raise MemoryContentError(f"SQLite cannot store this: {error}") from error


def file_sizes(path: str) -> dict[str, int]:
    """Return the bytes of the file of a memory, and of the files that SQLite keeps beside it."""
    files = {"database": path, "wal": f"{path}-wal"}
    return {
        name: Path(file).stat().st_size
        for name, file in files.items()
        if path != IN_MEMORY and Path(file).exists()
    }


def check_integrity(connection: sqlite3.Connection) -> list[str]:
    """Return what SQLite's and FTS5's own checks find wrong."""
    with closing(connection.execute("PRAGMA integrity_check")) as found:
        faults = [str(row[0]) for row in found if row[0] != "ok"]
    try:
        connection.execute(_CHECK_INDEX)
    except sqlite3.DatabaseError as error:
        faults.append(f"full-text index: {error}")
    return faults
