"""A thread that has a connection to an SQLite file: calls of an event loop, in transactions."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from ferrogen._sqlite import enter_wal_mode
from ferrogen.exceptions import StateStoreError

if TYPE_CHECKING:
    import sqlite3

__all__ = ["SqliteWorker"]

T = TypeVar("T")

_SECONDS_FOR_LOCKS = 30.0


class SqliteWorker:
    """Calls functions with a connection, in a thread, in the order in which they are given.

    Jobs that wait at the same time become one transaction.

    Args:
        path: The file; made if there is none.
        table: The statement that creates the tables, if they do not exist.
    """

    def __init__(self, path: str, table: str) -> None:
        self._path = path
        self._table = table
        self._lock = threading.Lock()
        self._file: _File | None = None
        self._process = 0

    async def call(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Call a function in the thread.

        Args:
            work: Reads or writes; may be called again, if others in its transaction have failed.

        Returns:
            Its result.

        Raises:
            StateStoreError: The file cannot be opened, read or written.
        """
        call = _Call(work)
        with self._lock:
            job = self._open().submit(call)
        try:
            await asyncio.shield(job)
        except asyncio.CancelledError:
            call.is_canceled = True
            raise
        if call.error is not None:
            raise call.error
        result: T = call.result
        return result

    async def close(self) -> None:
        """Finish the calls that were given, and close the file."""
        with self._lock:
            file, self._file = self._file, None
            if file is None or self._process != os.getpid():
                return
            self._finalizer.detach()
            job = asyncio.get_running_loop().run_in_executor(file.executor, file.close)
        await job
        file.executor.shutdown(wait=False)

    def _open(self) -> _File:
        # A child process has the object, and not the thread.
        if self._file is None or self._process != os.getpid():
            self._process = os.getpid()
            self._file = _File(self._path, self._table)
            self._finalizer = weakref.finalize(self, _abandon, self._file)
            self._finalizer.atexit = False
        return self._file


class _Call:
    """A function to call, and its result."""

    def __init__(self, work: Callable[[sqlite3.Connection], Any]) -> None:
        self.work = work
        self.is_canceled = False
        self.result: Any = None
        self.error: Exception | None = None


class _Batch:
    """The calls of one event loop that are waiting together."""

    job: asyncio.Future[None]

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.calls: list[_Call] = []


class _File:
    """The connection, and the operations on it. Its methods are called in the one thread."""

    def __init__(self, path: str, table: str) -> None:
        self._path = path
        self._table = table
        self._lock = threading.Lock()
        self._next: _Batch | None = None
        self.executor = ThreadPoolExecutor(1, "ferrogen-state-store")
        self._connection: sqlite3.Connection | None = None

    def submit(self, call: _Call) -> asyncio.Future[None]:
        """Add a call to the next batch; return the job that performs it."""
        loop = asyncio.get_running_loop()
        with self._lock:
            batch = self._next
            if batch is None or batch.loop is not loop:
                batch = self._next = _Batch(loop)
                # As a job of an executor, it is known to event loops with simulated time.
                batch.job = loop.run_in_executor(self.executor, self._perform_batch, batch)
            batch.calls.append(call)
            return batch.job

    def close(self) -> None:
        """Close the connection. What was submitted before is done."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _perform_batch(self, batch: _Batch) -> None:
        with self._lock:
            if self._next is batch:
                self._next = None
        calls = [call for call in batch.calls if not call.is_canceled]
        if calls:
            self._perform(calls)

    def _perform(self, calls: list[_Call]) -> None:
        try:
            if self._connection is None:
                self._connection = self._connect()
            if len(calls) == 1:
                calls[0].result = calls[0].work(self._connection)
            else:
                self._transact(self._connection, calls)
        except Exception as error:  # noqa: BLE001 - it is raised where the call is awaited
            if len(calls) > 1:
                for call in calls:
                    self._perform([call])
                return
            text = f"{self._path} cannot be used as a state store: {error}"
            calls[0].error = StateStoreError(text)
            calls[0].error.__cause__ = error

    @staticmethod
    def _transact(connection: sqlite3.Connection, calls: list[_Call]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for call in calls:
                call.result = call.work(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _connect(self) -> sqlite3.Connection:
        import sqlite3  # programs without such a store do not need it

        connection = sqlite3.connect(
            self._path, timeout=_SECONDS_FOR_LOCKS, isolation_level=None, check_same_thread=False
        )
        try:
            enter_wal_mode(connection, timeout=_SECONDS_FOR_LOCKS)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(self._table)
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def _abandon(file: _File) -> None:
    """Close the file of a store that is gone and was not closed."""
    file.executor.submit(file.close)
    file.executor.shutdown(wait=False)
