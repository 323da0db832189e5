"""The contents of a memory in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ferrogen.memory.items import Scope
from ferrogen.memory.sql.backend import Connection
from ferrogen.memory.sql.conditions import Condition, in_scope, known_at
from ferrogen.memory.sql.encoding import scope_of
from ferrogen.memory.sql.writing import SCOPE_COLUMNS


@dataclass(frozen=True, kw_only=True)
class MemoryStats:
    """The numbers of items of a memory.

    Args:
        items: The current items.
        versions: All versions, those of deleted items included.
        expired: Items whose lifetime is over, and that are not removed yet.
        vectors: The current items with a vector, by the id of the embedder.
        scopes: The current items by namespace.
        database_bytes: The size of the file.
        wal_bytes: The size of the write-ahead log.
        free_bytes: The unused part of the file, which `vacuum` releases.
        is_erasure_unfinished: Whether erased content may still be in the files, because other
            processes were reading: call `vacuum`.

    Example:
        ```python
        import asyncio

        from ferrogen.memory import SqliteMemory


        async def main() -> None:
            memory = SqliteMemory(":memory:")
            assert (await memory.stats()).items == 0
            await memory.close()


        asyncio.run(main())
        ```
    """

    items: int
    versions: int
    expired: int
    vectors: dict[str, int] = field(default_factory=dict)
    scopes: list[tuple[Scope, int]] = field(default_factory=list)
    database_bytes: int = 0
    wal_bytes: int = 0
    free_bytes: int = 0
    is_erasure_unfinished: bool = False


def counts(connection: Connection, scope: Scope, now: float) -> dict[str, Any]:
    """Return how much a namespace contains, as fields of `MemoryStats`."""
    inside = in_scope(scope)
    current = inside & known_at(None, now)

    def count(condition: Condition) -> int:
        found = connection.execute(
            f"SELECT count(*) FROM items WHERE {condition.sql}", condition.parameters
        )
        return int(found.fetchone()[0])

    vectors = connection.execute(
        f"SELECT embedder, count(*) FROM items WHERE embedder IS NOT NULL AND {current.sql} "
        "GROUP BY embedder",
        current.parameters,
    ).fetchall()
    scopes = connection.execute(
        f"SELECT {', '.join(SCOPE_COLUMNS)}, count(*) FROM items WHERE {current.sql} "
        "GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3",
        current.parameters,
    ).fetchall()
    return {
        "items": count(current),
        "versions": count(inside),
        "expired": count(Condition("expires_at <= ?", (now,)) & inside),
        "vectors": {str(name): int(number) for name, number in vectors},
        "scopes": [(scope_of(*levels), int(number)) for *levels, number in scopes],
    }
