"""Connections to the file of a memory: one thread writes, another one reads."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TypeVar

from ferrogen._core import CancellationToken
from ferrogen.exceptions import MemoryStoreError
from ferrogen.memory.sqlite.connection import Connector

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
