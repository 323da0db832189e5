"""Rules of retention in the transaction that inserts: duplicates and quotas."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

from ferrogen.exceptions import MemoryQuotaError
from ferrogen.memory.items import Scope
from ferrogen.memory.retention import Deduplication, Quota
from ferrogen.memory.sql.backend import Backend, Connection
from ferrogen.memory.sql.conditions import Condition, in_scope
from ferrogen.memory.sql.writing import PreparedItem, erase, exact_duplicate

ROUNDING = 1e-6
"""Cosines of float32 differ from exact ones by about this."""


class DuplicateFinder(ABC):
    """Finds current items in the same namespace that make new ones superfluous.

    Args:
        backend: The database.
        rules: The rules for duplicates.
        now: The present.
    """

    def __init__(self, backend: Backend, rules: Deduplication | None, now: float) -> None:
        self._backend = backend
        self._rules = rules
        self._now = now

    @abstractmethod
    async def prepare(self, prepared: Sequence[PreparedItem]) -> None:
        """Search before the transaction, as far as that is possible."""

    def duplicate(self, connection: Connection, each: PreparedItem) -> str | None:
        """Return the id of a duplicate; inside the transaction that inserts."""
        if self._rules is None:
            return None
        if self._rules.exact and (found := exact_duplicate(connection, each, self._now)):
            return found
        if self._rules.near is None or each.vector is None:
            return None
        return self._similar(connection, each, each.vector, self._rules.near - ROUNDING)

    @abstractmethod
    def _similar(
        self, connection: Connection, each: PreparedItem, vector: bytes, least: float
    ) -> str | None:
        """Return the id of an item whose vector has at least this cosine."""


def enforce(
    connection: Connection,
    backend: Backend,
    quota: Quota,
    scopes: Collection[Scope],
    new_rows: list[int],
) -> None:
    """Evict items until the namespaces of new ones keep to a quota.

    Raises:
        MemoryQuotaError: Nothing may be evicted, or the new items alone are too much.
    """
    if not new_rows:
        return
    for limited in {_limited(scope, quota) for scope in scopes}:
        condition = Condition("TRUE") if quota.per == "memory" else _exactly(limited, quota)
        while True:
            excess = _excess(connection, backend, quota, condition)
            if not excess:
                break
            if quota.policy == "reject" or not _evict(connection, quota, condition, min(new_rows)):
                raise MemoryQuotaError(
                    f"the quota of {_name(limited, quota)} is exceeded by {excess}: delete items, "
                    'raise the quota, or choose the policy "evict_oldest"'
                )


def _limited(scope: Scope, quota: Quota) -> Scope:
    if quota.per == "memory":
        return Scope()
    value = getattr(scope, quota.per)
    return Scope(**{quota.per: value}) if value is not None else Scope()


def _exactly(scope: Scope, quota: Quota) -> Condition:
    if scope.levels():
        return in_scope(scope)
    return Condition(f"items.{quota.per} = ''")


def _excess(connection: Connection, backend: Backend, quota: Quota, condition: Condition) -> str:
    if quota.max_items is not None:
        count = connection.execute(
            f"SELECT count(*) FROM items WHERE valid_until IS NULL AND {condition.sql}",
            condition.parameters,
        ).fetchone()[0]
        if count > quota.max_items:
            return f"{count - quota.max_items} items"
    if quota.max_bytes is not None:
        size = connection.execute(
            f"SELECT coalesce(sum({backend.size}), 0) FROM items WHERE {condition.sql}",
            condition.parameters,
        ).fetchone()[0]
        if size > quota.max_bytes:
            return f"{size - quota.max_bytes:,} bytes"
    return ""


def _evict(connection: Connection, quota: Quota, condition: Condition, first_new_row: int) -> bool:
    """Erase one item that is not new: one that was deleted before, else by the policy."""
    order = "created_at" if quota.policy == "evict_oldest" else "importance, created_at"
    found = connection.execute(
        f"SELECT row, valid_until FROM items WHERE row < ? AND {condition.sql} "
        f"ORDER BY valid_until IS NULL, {order}, row LIMIT 1",
        (first_new_row, *condition.parameters),
    ).fetchone()
    if found is None:
        return False
    row, until = found
    if until is not None:
        connection.execute("DELETE FROM items WHERE row = ?", (row,))
    else:
        erase(connection, Condition("items.row = ?", (row,)))
    return True


def _name(scope: Scope, quota: Quota) -> str:
    levels = ", ".join(f"{level} {value!r}" for level, value in scope.levels().items())
    return levels or ("the memory" if quota.per == "memory" else f"items without {quota.per}")
