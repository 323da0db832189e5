"""SQLite in WAL mode for files that several processes open at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_PAUSE = 0.01
_SQLITE_BUSY = 5
_SQLITE_LOCKED = 6


def enter_wal_mode(connection: sqlite3.Connection, *, timeout: float) -> None:
    """Switch a file to WAL mode.

    SQLite does not apply its busy timeout to the switch: of two connections that open a new file
    together, one is refused at once.

    Args:
        connection: A connection outside of a transaction.
        timeout: How many seconds to wait for other connections.

    Raises:
        sqlite3.Error: The file cannot be used, or stays locked.
    """
    retry_while_locked(
        lambda: connection.execute("PRAGMA journal_mode = WAL").fetchone(), timeout=timeout
    )


def retry_while_locked(attempt: Callable[[], object], *, timeout: float) -> None:
    """Repeat what SQLite refuses because of another connection's lock.

    Args:
        attempt: A statement, or several whose repetition is harmless.
        timeout: After how many seconds the refusal is raised.

    Raises:
        sqlite3.Error: The attempt failed for another reason, or until the end.
    """
    end = time.monotonic() + timeout
    while not _succeeds(attempt, end):
        time.sleep(_PAUSE)


def is_locked(error: sqlite3.Error) -> bool:
    """Return whether another connection's lock is the cause."""
    code = getattr(error, "sqlite_errorcode", None)  # CPython 3.11
    if code is not None:
        return code & 0xFF in {_SQLITE_BUSY, _SQLITE_LOCKED}
    return type(error).__name__ == "OperationalError" and "locked" in str(error)


def _succeeds(attempt: Callable[[], object], end: float) -> bool:
    import sqlite3  # programs without such a file do not need it

    try:
        attempt()
    except sqlite3.OperationalError as error:
        if not is_locked(error) or time.monotonic() > end:
            raise
        return False
    return True
