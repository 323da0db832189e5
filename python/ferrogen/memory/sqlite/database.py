"""Connections to the file of a memory: one thread writes, another one reads."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import TypeVar

from ferrogen._core import CancellationToken
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


ResultT = TypeVar("ResultT")
Work = Callable[[sqlite3.Connection], ResultT]

_OF_PARENTS: list[list[sqlite3.Connection]] = []
"""The connections of parent processes, which are neither used nor closed here."""


class Database:
    """The file of a memory, used from an event loop without blocking it.

    Work runs in threads: writing in one, reading in another, each with its own connection, which
    is opened when it is first needed. After a fork, the child opens connections of its own.

    Args:
        path: The file, or ``":memory:"``.
        busy_timeout: How many seconds to wait for other processes that write.
    """

    def __init__(self, path: str, busy_timeout: float) -> None:
        self.path = path
        self._connector = Connector(path, busy_timeout)
        self._lock = Lock()
        self._closed = False
        self._process = 0
        self._writer: _Worker
        self._reader: _Worker

    async def read(self, work: Work[ResultT], token: CancellationToken | None = None) -> ResultT:
        """Run work in a transaction that sees one state of the file.

        Raises:
            MemoryStoreError: The file cannot be read.
        """

        def reading(connection: sqlite3.Connection) -> ResultT:
            with self._transaction(connection, "BEGIN"):
                return work(connection)

        return await self._workers()[1].run(reading, token)

    async def write(self, work: Work[ResultT], token: CancellationToken | None = None) -> ResultT:
        """Run work in a transaction, which is on disk when this returns.

        Raises:
            MemoryBusyError: Another process has locked the file for too long.
            MemoryStoreError: The file cannot be written. Nothing was written.
        """

        def writing(connection: sqlite3.Connection) -> ResultT:
            with self._transaction(connection, "BEGIN IMMEDIATE"):
                return work(connection)

        return await self._workers()[0].run(writing, token)

    async def maintain(self, work: Work[ResultT]) -> ResultT:
        """Run work, in the writing thread, that cannot be in a transaction, such as VACUUM."""

        def maintaining(connection: sqlite3.Connection) -> ResultT:
            with self._connector.errors():
                return work(connection)

        return await self._workers()[0].run(maintaining, None)

    async def close(self) -> None:
        """Close the connections, after the work that has begun."""
        with self._lock:
            workers = {self._writer, self._reader} if self._process == os.getpid() else set()
            self._closed, self._process = True, 0
        for worker in workers:
            await worker.close()

    def _workers(self) -> tuple[_Worker, _Worker]:
        with self._lock:
            if self._closed:
                raise MemoryStoreError(f"the memory in {self.path} is closed")
            if self._process != os.getpid():
                self._writer = _Worker(self._connector.connect)
                # What is in memory belongs to one connection.
                self._reader = (
                    self._writer
                    if self._connector.is_in_memory
                    else _Worker(self._connector.connect)
                )
                self._process = os.getpid()
            return self._writer, self._reader

    @contextmanager
    def _transaction(self, connection: sqlite3.Connection, begin: str) -> Iterator[None]:
        with self._connector.errors():
            connection.execute(begin)
            try:
                yield
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise


class _Worker:
    """A thread with a connection, which it opens when it is first used."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ferrogen-memory")
        self._opened: list[sqlite3.Connection] = []
        self._finalizer = weakref.finalize(self, _abandon, self._threads, self._opened, os.getpid())

    async def run(self, work: Work[ResultT], token: CancellationToken | None) -> ResultT:
        """Run work in the thread.

        A caller that is cancelled before the work begins prevents it.
        """

        def working() -> ResultT:
            if not self._opened:
                self._opened.append(self._connect())
            return work(self._opened[0])

        if token is not None and token.is_cancelled():
            raise asyncio.CancelledError
        try:
            future = asyncio.wrap_future(self._threads.submit(working))
        except RuntimeError as error:  # it was closed meanwhile, or the interpreter exits
            raise MemoryStoreError(f"the memory is closed: {error}") from error
        if token is not None:
            _ = token.link_future(future)
        return await future

    async def close(self) -> None:
        """Close the connection after the work that was submitted."""

        def close() -> None:
            while self._opened:
                self._opened.pop().close()

        if self._finalizer.detach():
            closed = asyncio.wrap_future(self._threads.submit(close))
            self._threads.shutdown(wait=False)
            await closed


def _abandon(threads: ThreadPoolExecutor, opened: list[sqlite3.Connection], process: int) -> None:
    """Close the connection of a memory that was not closed."""
    if process != os.getpid():
        _OF_PARENTS.append(opened)  # closing them would disturb the parent
        return
    threads.shutdown(wait=False)
    for connection in opened:
        with suppress(sqlite3.Error):
            connection.close()
