"""Writing items: insertion, versions, deletion. All of it runs inside a transaction."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ferrogen.exceptions import MemoryContentError
from ferrogen.memory.content import MemoryContent
from ferrogen.memory.items import NewItem, Scope, expiry, ttl_seconds
from ferrogen.memory.sqlite.conditions import Condition
from ferrogen.memory.sqlite.encoding import EncodedContent, decode, encode

# Two versions of an item cannot begin at the same time.
_TICK = 1e-6
_KEPT_REMOVALS = 10_000
_EXPIRED_AT_ONCE = 200


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


def next_change(connection: sqlite3.Connection) -> int:
    """Return the number of this transaction, by which others notice what it has changed."""
    connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'changed'")
    return last_change(connection)


def last_change(connection: sqlite3.Connection) -> int:
    """Return the number of the last transaction that has changed items."""
    found = connection.execute("SELECT value FROM counters WHERE name = 'changed'").fetchone()
    return int(found[0])


def scope_columns(scope: Scope) -> tuple[str, str, str]:
    """Return the columns of a namespace."""
    return scope.user or "", scope.agent or "", scope.conversation or ""


def insert(
    connection: sqlite3.Connection,
    prepared: Sequence[PreparedItem],
    embedder: str | None,
    duplicate: Callable[[PreparedItem], str | None],
) -> tuple[list[str], list[int]]:
    """Insert items.

    Args:
        connection: The connection, in a transaction.
        prepared: The items.
        embedder: The id of the embedder of their vectors.
        duplicate: Returns the id of an item that makes a new one superfluous.

    Returns:
        The ids, of duplicates those of the items that are there; and the new rows.

    Raises:
        MemoryContentError: An id exists already.
    """
    changed = next_change(connection)
    ids, rows = [], []
    for each in prepared:
        existing = duplicate(each)
        if existing is not None:
            ids.append(existing)
            continue
        identity = each.item.id or uuid.uuid4().hex
        row = _insert_row(connection, each, identity, embedder, changed)
        ids.append(identity)
        rows.append(row)
    return ids, rows


def _insert_row(
    connection: sqlite3.Connection,
    each: PreparedItem,
    identity: str,
    embedder: str | None,
    changed: int,
) -> int:
    encoded = each.encoded
    try:
        inserted = connection.execute(
            "INSERT INTO items (id, version, user, agent, conversation, source, message_id, "
            "importance, created_at, valid_from, expires_at, changed, hash, embedder, kind, "
            "mime_type, metadata, text, content, vector) "
            "VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                identity,
                *scope_columns(each.scope),
                each.item.source,
                each.item.message_id,
                float(each.item.importance),
                each.created,
                each.created,
                expiry(each.created, each.ttl),
                changed,
                encoded.hash,
                None if each.vector is None else embedder,
                encoded.kind,
                encoded.mime_type,
                encoded.metadata,
                encoded.indexed_text,
                encoded.content,
                each.vector,
            ),
        )
    except sqlite3.IntegrityError as error:
        raise MemoryContentError(
            f"an item with the id {identity!r} exists already in this namespace: update it, or "
            "use another id"
        ) from error
    return int(inserted.lastrowid or 0)


def exact_duplicate(connection: sqlite3.Connection, each: PreparedItem, now: float) -> str | None:
    """Return the id of a current item in the same namespace with the same content."""
    found = connection.execute(
        "SELECT id FROM items WHERE hash = ? AND user = ? AND agent = ? AND conversation = ? "
        "AND metadata IS ? AND valid_until IS NULL AND (expires_at IS NULL OR expires_at > ?) "
        "LIMIT 1",
        (each.encoded.hash, *scope_columns(each.scope), each.encoded.metadata, now),
    ).fetchone()
    return None if found is None else str(found[0])


def update(
    connection: sqlite3.Connection,
    condition: Condition,
    changes: Changes,
    vector_of: Callable[[str], tuple[bytes | None, str | None]],
    now: float,
) -> list[str]:
    """Write a new version of each current item that fulfills a condition.

    Args:
        connection: The connection, in a transaction.
        condition: Which items, of those that are current.
        changes: The changes.
        vector_of: Returns the vector of a text and the id of its embedder.
        now: The present.

    Returns:
        The ids of the items.
    """
    found = connection.execute(
        "SELECT row, id, importance, expires_at, source, message_id, valid_from, kind, mime_type, "
        f"metadata, text, content, vector, embedder FROM items WHERE {condition.sql}",
        condition.parameters,
    ).fetchall()
    changed = next_change(connection)
    for row in found:
        _write_version(connection, row, changes, vector_of, now, changed)
    return [str(row[1]) for row in found]


def _write_version(
    connection: sqlite3.Connection,
    row: Sequence[Any],
    changes: Changes,
    vector_of: Callable[[str], tuple[bytes | None, str | None]],
    now: float,
    changed: int,
) -> None:
    number, _, importance, expires, source, message_id, valid_from = row[:7]
    kind, mime_type, metadata, text, content, vector, embedder = row[7:]
    old = decode(str(kind), str(mime_type), metadata, content)
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
    is_explicit = not replaced and text is not None and text != before.indexed_text
    encoded = encode(shown, str(text) if is_explicit and changes.text is None else changes.text)
    if encoded.text != (text if is_explicit else before.text):
        vector, embedder = vector_of(encoded.text)
    begins = max(now, round(float(valid_from) + _TICK, 6))
    connection.execute(
        "UPDATE items SET valid_until = ?, changed = ? WHERE row = ?", (begins, changed, number)
    )
    connection.execute(
        "INSERT INTO items (id, version, user, agent, conversation, source, message_id, "
        "importance, created_at, valid_from, expires_at, changed, hash, embedder, kind, "
        "mime_type, metadata, text, content, vector) "
        "SELECT id, version + 1, user, agent, conversation, ?, ?, ?, created_at, ?, ?, ?, ?, ?, "
        "?, ?, ?, ?, ?, ? FROM items WHERE row = ?",
        (
            changes.source or source,
            changes.message_id or message_id,
            importance if changes.importance is None else changes.importance,
            begins,
            expires if changes.ttl is None else expiry(now, changes.ttl),
            changed,
            encoded.hash,
            embedder,
            encoded.kind,
            encoded.mime_type,
            encoded.metadata,
            encoded.indexed_text,
            encoded.content,
            vector,
            number,
        ),
    )


def delete(connection: sqlite3.Connection, condition: Condition, now: float) -> int:
    """End the validity of the current items that fulfill a condition."""
    changed = next_change(connection)
    ended = connection.execute(
        "UPDATE items SET valid_until = max(?, round(valid_from + ?, 6)), changed = ? "
        f"WHERE valid_until IS NULL AND {condition.sql}",
        (now, _TICK, changed, *condition.parameters),
    )
    return ended.rowcount


def erase(connection: sqlite3.Connection, condition: Condition) -> int:
    """Remove the items of which a version fulfills a condition, with all their versions."""
    next_change(connection)
    removed = connection.execute(
        "DELETE FROM items WHERE row IN (SELECT other.row FROM items JOIN items AS other "
        "USING (id, user, agent, conversation) "
        f"WHERE {condition.sql})",
        condition.parameters,
    )
    trim_removals(connection)
    return removed.rowcount


def purge_expired(connection: sqlite3.Connection, now: float) -> None:
    """Remove some of the items whose lifetime is over."""
    rows = connection.execute(
        "SELECT row FROM items WHERE expires_at <= ? LIMIT ?", (now, _EXPIRED_AT_ONCE)
    ).fetchall()
    if rows:
        next_change(connection)
        connection.executemany("DELETE FROM items WHERE row = ?", rows)
        trim_removals(connection)


def trim_removals(connection: sqlite3.Connection) -> None:
    """Forget the oldest removals; a process that has missed them reads all vectors again."""
    last = connection.execute(
        "SELECT changed FROM removals ORDER BY rowid DESC LIMIT 1 OFFSET ?", (_KEPT_REMOVALS,)
    ).fetchone()
    if last is not None:
        connection.execute("DELETE FROM removals WHERE changed <= ?", last)
        connection.execute("INSERT OR REPLACE INTO counters VALUES ('removals_trimmed', ?)", last)


def lifetime(item: NewItem, default: float | None) -> float | None:
    """Return the lifetime of a new item in seconds."""
    own = ttl_seconds(item.ttl)
    return default if own is None else own
