"""Transactions in PostgreSQL, run in threads with pooled connections."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from threading import Lock
from typing import Any, TypeVar

from ferrogen._core import CancellationToken
from ferrogen.exceptions import (
    MemoryBusyError,
    MemoryContentError,
    MemoryStoreError,
    MissingDependencyError,
)
from ferrogen.memory.postgres.schema import choose, prepare
from ferrogen.memory.sql.backend import Connection, Rows

ResultT = TypeVar("ResultT")

_OF_PARENTS: list[Any] = []
"""The pools of parent processes, which are neither used nor closed here."""


class Session:
    """A connection of psycopg whose marks of parameters are question marks.

    Args:
        connection: The connection.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Rows:
        """Execute a statement."""
        rows: Rows = self.connection.execute(_marked(sql), parameters)
        return rows

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> None:
        """Execute a statement with each of some parameters."""
        with self.connection.cursor() as cursor:
            cursor.executemany(_marked(sql), parameters)


def _marked(sql: str) -> str:
    # No value is a part of a statement, and no operator with a question mark is used.
    return sql.replace("%", "%%").replace("?", "%s")


class PostgresDatabase:
    """A schema in PostgreSQL, used from event loops without blocking them.

    After a fork, the child opens connections of its own.

    Args:
        conninfo: The address, as libpq reads it.
        schema: The schema.
        busy_timeout: How many seconds to wait for a connection, and for others that write.
        connections: The most connections.

    Raises:
        MissingDependencyError: psycopg is not installed.
        MemoryStoreError: The address cannot be read.
    """

    def __init__(self, conninfo: str, schema: str, busy_timeout: float, connections: int) -> None:
        try:
            import psycopg
            import psycopg_pool
        except ImportError as error:
            raise MissingDependencyError(
                f"a PostgresMemory needs psycopg: pip install 'ferrogen[postgres]' ({error})"
            ) from error
        self._psycopg, self._pools = psycopg, psycopg_pool
        try:
            address = psycopg.conninfo.conninfo_to_dict(conninfo)
        except psycopg.Error:  # its message may have the password
            raise MemoryStoreError(
                "the address of the database is neither a URL such as postgresql://host/db nor "
                "settings of libpq such as 'host=/run/postgresql dbname=db'"
            ) from None
        self._conninfo, self._schema = conninfo, schema
        self._busy_timeout, self._connections = busy_timeout, connections
        named = [name for name in ("host", "port", "dbname") if name in address]
        shown = [f"{name}={address[name]}" for name in named]
        self.path = f"PostgreSQL ({' '.join([*shown, f'schema={schema}'])})"
        self._lock = Lock()
        self._closed = False
        self._process = 0
        self._threads: ThreadPoolExecutor
        self._opened: list[Any]
        self._finalizer: weakref.finalize[Any, Any]

    async def read(
        self, work: Callable[[Connection], ResultT], token: CancellationToken | None = None
    ) -> ResultT:
        """Run work in a transaction that sees one state of the database.

        Raises:
            MemoryStoreError: The database cannot be read.
        """
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
        return await self._run(lambda each: _transaction(each, begin, work), token)

    async def write(
        self, work: Callable[[Connection], ResultT], token: CancellationToken | None = None
    ) -> ResultT:
        """Run work in a transaction, which is on disk when this returns.

        Raises:
            MemoryBusyError: Others write for too long.
            MemoryStoreError: The database cannot be written. Nothing was written.
        """
        return await self._run(lambda each: _transaction(each, "BEGIN", work), token)

    async def maintain(self, work: Callable[[Connection], ResultT]) -> ResultT:
        """Run work that cannot be in a transaction, such as VACUUM."""
        return await self._run(lambda each: work(Session(each)), None)

    async def close(self) -> None:
        """Close the connections, after the work that has begun."""
        with self._lock:
            is_open = not self._closed and self._process == os.getpid()
            self._closed = True
        if is_open and self._finalizer.detach():
            closed = self._threads.submit(_close, self._opened)
            self._threads.shutdown(wait=False)
            await asyncio.wrap_future(closed)

    async def _run(
        self, work: Callable[[Any], ResultT], token: CancellationToken | None
    ) -> ResultT:
        if token is not None and token.is_cancelled():
            raise asyncio.CancelledError
        threads, opened = self._resources()

        def working() -> ResultT:
            with self._errors():
                with self._lock:
                    if not opened:
                        opened.append(self._pool())
                with opened[0].connection() as connection:
                    return work(connection)

        try:
            future = asyncio.wrap_future(threads.submit(working))
        except RuntimeError as error:  # it was closed meanwhile, or the interpreter exits
            raise MemoryStoreError(f"the memory is closed: {error}") from error
        if token is not None:
            _ = token.link_future(future)
        return await future

    def _resources(self) -> tuple[ThreadPoolExecutor, list[Any]]:
        with self._lock:
            if self._closed:
                raise MemoryStoreError(f"the memory in {self.path} is closed")
            if self._process != os.getpid():
                if self._process:
                    self._finalizer.detach()
                    _OF_PARENTS.append(self._opened)
                self._threads = ThreadPoolExecutor(
                    self._connections, thread_name_prefix="ferrogen-memory"
                )
                self._opened = []
                self._finalizer = weakref.finalize(
                    self, _abandon, self._threads, self._opened, os.getpid()
                )
                self._process = os.getpid()
            return self._threads, self._opened

    def _pool(self) -> Any:
        """Prepare the schema by one connection, whose error has its reason, and return a pool."""
        with self._psycopg.connect(
            self._conninfo, autocommit=True, connect_timeout=max(2, int(self._busy_timeout))
        ) as connection:
            prepare(connection, self._schema)
        return self._pools.ConnectionPool(
            self._conninfo,
            min_size=1,
            max_size=self._connections,
            timeout=max(self._busy_timeout, 0.1),
            kwargs={"autocommit": True},
            configure=partial(_configure, self._schema, self._busy_timeout),
            check=self._pools.ConnectionPool.check_connection,
            open=True,
            name="ferrogen-memory",
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn psycopg's errors into ours."""
        errors = self._psycopg.errors
        try:
            yield
        except (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure) as e:
            raise MemoryBusyError(
                f"others have locked {self.path} for more than {self._busy_timeout:g} seconds: "
                "try again, or use a longer busy_timeout"
            ) from e
        except self._pools.PoolTimeout as error:
            raise MemoryBusyError(
                f"no connection to {self.path} was available for {self._busy_timeout:g} seconds: "
                "use more connections, or a longer busy_timeout"
            ) from error
        except (self._psycopg.DataError, errors.ProgramLimitExceeded) as error:
            raise MemoryContentError(f"PostgreSQL cannot store this: {error}") from error
        except (self._psycopg.Error, self._pools.PoolClosed) as error:
            raise MemoryStoreError(f"the memory {self.path} cannot be used: {error}") from error


def _configure(schema: str, busy_timeout: float, connection: Any) -> None:
    choose(connection, schema)
    connection.execute(f"SET lock_timeout = {max(1, int(busy_timeout * 1000))}")
    # The planner sees parameters, so it finds that partial indexes apply.
    connection.execute("SET plan_cache_mode = force_custom_plan")
    # With an index, as many candidates are visited as it takes to fulfill filters.
    connection.execute("SET hnsw.iterative_scan = 'strict_order'")
    connection.execute("SET hnsw.ef_search = 200")


def _transaction(connection: Any, begin: str, work: Callable[[Connection], ResultT]) -> ResultT:
    connection.execute(begin)
    try:
        result = work(Session(connection))
        connection.execute("COMMIT")
    except BaseException:
        with suppress(Exception):  # the first error is the one that matters
            connection.execute("ROLLBACK")
        raise
    return result


def _close(opened: list[Any]) -> None:
    while opened:
        opened.pop().close()


def _abandon(threads: ThreadPoolExecutor, opened: list[Any], process: int) -> None:
    """Close the connections of a memory that was not closed."""
    if process != os.getpid():
        _OF_PARENTS.append(opened)  # closing them would disturb the parent
        return
    threads.shutdown(wait=False)
    _close(opened)
