"""Maintenance of the file of a memory: statistics, space, erasure."""

from __future__ import annotations

import sqlite3
import time

from ferrogen.exceptions import MemoryBusyError
from ferrogen.memory.items import Scope
from ferrogen.memory.sql.backend import Connection
from ferrogen.memory.sql.conditions import in_scope
from ferrogen.memory.sql.statistics import MemoryStats, counts
from ferrogen.memory.sql.writing import erase
from ferrogen.memory.sqlite.database import check_integrity, file_sizes
from ferrogen.memory.sqlite.schema import trim_removals

_UNFINISHED = "erasure_unfinished"


def statistics(connection: Connection, scope: Scope, path: str, now: float) -> MemoryStats:
    """Return what a namespace contains, and the sizes of the files."""
    sizes = file_sizes(path)
    pages = connection.execute("PRAGMA freelist_count").fetchone()[0]
    page_size = connection.execute("PRAGMA page_size").fetchone()[0]
    total = connection.execute("PRAGMA page_count").fetchone()[0] * page_size
    return MemoryStats(
        **counts(connection, scope, now),
        database_bytes=sizes.get("database", total),
        wal_bytes=sizes.get("wal", 0),
        free_bytes=pages * page_size,
        is_erasure_unfinished=_is_unfinished(connection),
    )


def rebuild(connection: sqlite3.Connection) -> list[str]:
    """Build the full-text index anew; return the faults of the file afterwards."""
    connection.execute("INSERT INTO items_text (items_text) VALUES ('rebuild')")
    return check_integrity(connection)


def vacuum(connection: sqlite3.Connection, patience: float) -> None:
    """Release unused space, and remove every trace of erased content from the files.

    Raises:
        MemoryBusyError: Other processes keep the write-ahead log in use.
    """
    if _is_unfinished(connection):
        # A segment of the index keeps the words of removed rows until it is merged.
        connection.execute("INSERT INTO items_text (items_text) VALUES ('rebuild')")
    connection.execute("VACUUM")
    _truncate_log(connection, patience)
    if _is_unfinished(connection):
        connection.execute("DELETE FROM counters WHERE name = ?", (_UNFINISHED,))
        _truncate_log(connection, patience)


def forget(connection: sqlite3.Connection, scope: Scope, patience: float) -> int:
    """Erase a namespace from the table, the index and the write-ahead log.

    Returns:
        How many versions of items were erased.

    Raises:
        MemoryBusyError: The items are erased, but other processes keep the log in use.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        erased = erase(connection, in_scope(scope))
        trim_removals(connection)
        connection.execute("INSERT OR REPLACE INTO counters VALUES (?, 1)", (_UNFINISHED,))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    vacuum(connection, patience)
    return erased


def _is_unfinished(connection: Connection) -> bool:
    found = connection.execute("SELECT 1 FROM counters WHERE name = ?", (_UNFINISHED,))
    return found.fetchone() is not None


def _truncate_log(connection: sqlite3.Connection, patience: float) -> None:
    end = time.monotonic() + patience
    while True:
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if not busy:
            return
        if time.monotonic() > end:
            raise MemoryBusyError(
                "other processes read the memory, so that its write-ahead log cannot be "
                "truncated and may still contain erased content: call vacuum() again later"
            )
        time.sleep(0.01)
