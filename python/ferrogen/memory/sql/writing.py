"""Writing items: insertion, versions, deletion. All of it runs inside a transaction."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ferrogen.exceptions import MemoryContentError
from ferrogen.memory.content import MemoryContent
from ferrogen.memory.items import NewItem, Scope, expiry, ttl_seconds
from ferrogen.memory.sql.backend import Backend, Connection
from ferrogen.memory.sql.conditions import Condition
from ferrogen.memory.sql.encoding import EncodedContent, decode, encode

# Two versions of an item cannot begin at the same time.
_TICK = 1e-6
_EXPIRED_AT_ONCE = 200
SCOPE_COLUMNS = ('"user"', "agent", "conversation")
"""The columns of a namespace; the first one is a word of SQL."""
IN_SAME_SCOPE = " AND ".join(f"{name} = ?" for name in SCOPE_COLUMNS)
"""The condition that items are in exactly one namespace."""
_OF_VERSION = (
    *("id", "version", *SCOPE_COLUMNS, "source", "message_id", "importance", "created_at"),
    *("valid_from", "expires_at", "changed", "embedder", "kind", "mime_type", "metadata"),
    *("text", "content", "hash", "vector"),
)


@dataclass(frozen=True)
class PreparedItem:
    """A new item with everything that is computed before the transaction.

    Args:
        item: The item.
        scope: Its namespace.
        encoded: Its content as columns.
        vector: Its vector, if it has one.
        created: When it was written.
        ttl: Its lifetime in seconds.
    """

    item: NewItem
    scope: Scope
    encoded: EncodedContent
    vector: bytes | None
    created: float
    ttl: float | None


@dataclass(frozen=True)
class Changes:
    """The changes of an update; None leaves a field as it is.

    Args:
        content: The new content.
        text: The text to search.
        metadata: Keys of the metadata to set; those that are None are removed.
        importance: The new importance.
        ttl: The new lifetime in seconds, from now on.
        source: The author of the change.
        message_id: The message that the change is from.
    """

    content: MemoryContent | None = None
    text: str | None = None
    metadata: dict[str, object] | None = None
    importance: float | None = None
    ttl: float | None = None
    source: str | None = None
    message_id: str | None = None


def next_change(connection: Connection) -> int:
    """Return the number of this transaction, by which others notice what it has changed.

    Transactions that write get it before anything else, so they wait for each other.
    """
    connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'changed'")
    return last_change(connection)


def last_change(connection: Connection) -> int:
    """Return the number of the last transaction that has changed items."""
    found = connection.execute("SELECT value FROM counters WHERE name = 'changed'").fetchone()
    return int(found[0])


def scope_columns(scope: Scope) -> tuple[str, str, str]:
    """Return the columns of a namespace."""
    return scope.user or "", scope.agent or "", scope.conversation or ""


def scope_values(scope: Scope) -> dict[str, str]:
    """Return the columns of a namespace with their quoted names: ``user`` is a word of SQL."""
    return dict(zip(SCOPE_COLUMNS, scope_columns(scope), strict=True))


def insert_row(connection: Connection, backend: Backend, row: dict[str, Any]) -> int:
    """Insert a row of columns by their names, and return its number.

    Raises:
        MemoryContentError: There is a current item with the same id in the namespace.
    """
    marks = ", ".join(backend.marks.get(name, "?") for name in row)
    try:
        inserted = connection.execute(
            f"INSERT INTO items ({', '.join(row)}) VALUES ({marks}) RETURNING row",
            tuple(row.values()),
        )
        return int(inserted.fetchone()[0])
    except backend.conflict as error:
        raise MemoryContentError(
            f"an item with the id {row['id']!r} exists already in this namespace: update it, or "
            "use another id"
        ) from error


def insert(
    connection: Connection,
    backend: Backend,
    prepared: Sequence[PreparedItem],
    duplicate: Callable[[PreparedItem], str | None],
) -> tuple[list[str], list[int]]:
    """Insert items, after the transaction has got its number.

    Args:
        connection: The connection, in a transaction.
        backend: Its database.
        prepared: The items.
        duplicate: Returns the id of an item that makes a new one superfluous.

    Returns:
        The ids, of duplicates those of the items that are there; and the new rows.

    Raises:
        MemoryContentError: An id exists already.
    """
    changed = last_change(connection)
    ids, rows = [], []
    for each in prepared:
        existing = duplicate(each)
        if existing is not None:
            ids.append(existing)
            continue
        identity = each.item.id or uuid.uuid4().hex
        row = {
            "id": identity,
            "version": 1,
            **scope_values(each.scope),
            "source": each.item.source,
            "message_id": each.item.message_id,
            "importance": float(each.item.importance),
            "created_at": each.created,
            "valid_from": each.created,
            "expires_at": expiry(each.created, each.ttl),
            "changed": changed,
            **backend.columns(each.encoded),
            "embedder": None if each.vector is None else backend.embedder,
            "vector": None if each.vector is None else backend.vector(each.vector),
        }
        rows.append(insert_row(connection, backend, row))
        ids.append(identity)
    return ids, rows


def exact_duplicate(connection: Connection, each: PreparedItem, now: float) -> str | None:
    """Return the id of a current item in the same namespace with the same content."""
    found = connection.execute(
        f"SELECT id FROM items WHERE hash = ? AND {IN_SAME_SCOPE} "
        "AND coalesce(metadata, '') = ? AND valid_until IS NULL "
        "AND (expires_at IS NULL OR expires_at > ?) LIMIT 1",
        (each.encoded.hash, *scope_columns(each.scope), each.encoded.metadata or "", now),
    ).fetchone()
    return None if found is None else str(found[0])


def update(
    connection: Connection,
    backend: Backend,
    condition: Condition,
    changes: Changes,
    vectors: Mapping[str, bytes],
    now: float,
) -> list[str]:
    """Write a new version of each current item that fulfills a condition.

    Args:
        connection: The connection, in a transaction.
        backend: Its database.
        condition: Which items, of those that are current.
        changes: What is changed.
        vectors: The vectors of new texts.
        now: The present.

    Returns:
        The ids of the items.
    """
    changed = next_change(connection)
    found = connection.execute(
        f"SELECT row, {', '.join(_OF_VERSION)} FROM items WHERE {condition.sql}",
        condition.parameters,
    ).fetchall()
    for number, *values in found:
        row = dict(zip(_OF_VERSION, values, strict=True))
        begins = max(now, round(row["valid_from"] + _TICK, 6))
        connection.execute(
            "UPDATE items SET valid_until = ?, changed = ? WHERE row = ?",
            (begins, changed, number),
        )
        row |= {"version": row["version"] + 1, "valid_from": begins, "changed": changed}
        insert_row(connection, backend, _changed(row, backend, changes, vectors, now))
    return [str(row[1]) for row in found]


def _changed(
    row: dict[str, Any],
    backend: Backend,
    changes: Changes,
    vectors: Mapping[str, bytes],
    now: float,
) -> dict[str, Any]:
    """Return the columns of the next version of an item."""
    text = row["text"]
    old = decode(row["kind"], row["mime_type"], row["metadata"], row["content"])
    replaced = changes.content is not None
    new = changes.content or old
    merged = dict((new if replaced and new.metadata is not None else old).metadata or {})
    for key, value in (changes.metadata or {}).items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    keeps_none = new.metadata is None and old.metadata is None and not merged
    shown = new.model_copy(update={"metadata": None if keeps_none else merged})
    before = encode(old)
    is_explicit = not replaced and text not in (None, backend.columns(before)["text"])
    encoded = encode(shown, text if is_explicit and changes.text is None else changes.text)
    if encoded.text != (text if is_explicit else before.text):
        vector = vectors.get(encoded.text)
        row["vector"] = None if vector is None else backend.vector(vector)
        row["embedder"] = None if vector is None else backend.embedder
    row |= backend.columns(encoded)
    row["source"] = changes.source or row["source"]
    row["message_id"] = changes.message_id or row["message_id"]
    if changes.importance is not None:
        row["importance"] = changes.importance
    if changes.ttl is not None:
        row["expires_at"] = expiry(now, changes.ttl)
    return row


def delete(connection: Connection, condition: Condition, now: float) -> int:
    """End the validity of the current items that fulfill a condition."""
    changed = next_change(connection)
    where = f"valid_until IS NULL AND {condition.sql}"
    # Those that are not older than now are rare; nothing but Python rounds to a microsecond.
    young = connection.execute(
        f"SELECT valid_from, row FROM items WHERE valid_from >= ? AND {where}",
        (now, *condition.parameters),
    ).fetchall()
    ended = connection.execute(
        f"UPDATE items SET valid_until = ?, changed = ? WHERE valid_from < ? AND {where}",
        (now, changed, now, *condition.parameters),
    )
    count = ended.rowcount + len(young)
    connection.executemany(
        "UPDATE items SET valid_until = ?, changed = ? WHERE row = ?",
        [(round(begun + _TICK, 6), changed, row) for begun, row in young],
    )
    return count


def erase(connection: Connection, condition: Condition) -> int:
    """Remove the items of which a version fulfills a condition, with all their versions."""
    next_change(connection)
    removed = connection.execute(
        "DELETE FROM items WHERE row IN (SELECT other.row FROM items JOIN items AS other "
        f"USING (id, {', '.join(SCOPE_COLUMNS)}) WHERE {condition.sql})",
        condition.parameters,
    )
    return removed.rowcount


def purge_expired(connection: Connection, now: float) -> None:
    """Remove some of the items whose lifetime is over."""
    rows = connection.execute(
        "SELECT row FROM items WHERE expires_at <= ? LIMIT ?", (now, _EXPIRED_AT_ONCE)
    ).fetchall()
    if rows:
        next_change(connection)
        connection.executemany("DELETE FROM items WHERE row = ?", rows)


def lifetime(item: NewItem, default: float | None) -> float | None:
    """Return the lifetime of a new item in seconds."""
    own = ttl_seconds(item.ttl)
    return default if own is None else own
