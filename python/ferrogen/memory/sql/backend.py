"""What differs between the SQL databases that hold memories."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ferrogen._core import CancellationToken
from ferrogen.memory.filters import Filter
from ferrogen.memory.items import Scope
from ferrogen.memory.retention import Deduplication
from ferrogen.memory.search import Search
from ferrogen.memory.sql.encoding import EncodedContent

if TYPE_CHECKING:
    from ferrogen.memory.sql.conditions import Condition
    from ferrogen.memory.sql.retention import DuplicateFinder
    from ferrogen.memory.sql.retrieval import Retrieval

ResultT = TypeVar("ResultT")


class Rows(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""

    @property
    def description(self) -> Any:
        """A sequence for each column, which begins with its name."""

    def fetchone(self) -> Any:
        """Return the next row, or None."""

    def fetchmany(self, size: int = ..., /) -> list[Any]:
        """Return some of the rows."""

    def fetchall(self) -> list[Any]:
        """Return the rest of the rows."""

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """A connection in a transaction. Marks of parameters are question marks."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Rows:
        """Execute a statement."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Any:
        """Execute a statement with each of some parameters."""


class Database(Protocol):
    """Transactions, used from an event loop without blocking it."""

    @property
    def path(self) -> str:
        """Where it is, for messages."""

    async def read(
        self, work: Callable[[Connection], ResultT], token: CancellationToken | None = None
    ) -> ResultT:
        """Run work in a transaction that sees one state of the database."""

    async def write(
        self, work: Callable[[Connection], ResultT], token: CancellationToken | None = None
    ) -> ResultT:
        """Run work in a transaction, which is on disk when this returns."""

    async def close(self) -> None:
        """Close the connections, after the work that has begun."""


class Backend(ABC):
    """A database, and what its SQL has in place of that of others.

    Args:
        database: The database.
        embedder: The id of the embedder of the vectors that are searched.
    """

    conflict: type[Exception]
    """The error of a row that violates a unique index."""
    marks: Mapping[str, str] = {}
    """What stands for the parameter of a column, if that is not a question mark."""
    size: str
    """The bytes of a row, as an expression."""

    def __init__(self, database: Database, embedder: str | None) -> None:
        self.database = database
        self.embedder = embedder

    @abstractmethod
    def compile(self, where: Filter | None) -> Condition:
        """Turn a filter into a condition.

        Raises:
            MemoryQueryError: It is not a filter, or has too many parts.
        """

    @abstractmethod
    def columns(self, encoded: EncodedContent) -> dict[str, Any]:
        """Return the columns of a content."""

    @abstractmethod
    def vector(self, packed: bytes) -> Any:
        """Return a packed vector as a parameter."""

    @abstractmethod
    def packed(self, vector: Any) -> bytes:
        """Return a vector of a row, packed."""

    @abstractmethod
    def retrieval(
        self, connection: Connection, search: Search, scope: Scope, now: float, query: bytes | None
    ) -> Retrieval:
        """Return a search inside a transaction, with the packed vector of the query."""

    @abstractmethod
    def duplicates(self, rules: Deduplication | None, now: float) -> DuplicateFinder:
        """Return what finds duplicates of new items."""

    @abstractmethod
    def before_commit(self, connection: Connection) -> None:
        """Complete a transaction that writes."""
