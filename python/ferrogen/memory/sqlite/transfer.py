"""Export and import of items as JSON lines."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ferrogen.exceptions import MemoryContentError
from ferrogen.memory.content import MemoryContent
from ferrogen.memory.items import (
    Scope,
    checked_importance,
    from_timestamp,
    storable_text,
)
from ferrogen.memory.sqlite.conditions import in_scope
from ferrogen.memory.sqlite.encoding import decode, encode
from ferrogen.memory.sqlite.writing import next_change, scope_columns

_BAD_LINE = (
    *(ValueError, TypeError, KeyError, AttributeError),
    *(RecursionError, OverflowError, OSError),
)
_FORMAT = "ferrogen.memory/1"
_PLAIN = ("id", "version", "source", "message_id", "importance")
_TIMES = ("created_at", "valid_from", "valid_until", "expires_at")
_COLUMNS = (
    "id, version, user, agent, conversation, source, message_id, importance, created_at, "
    "valid_from, valid_until, expires_at, embedder, kind, mime_type, metadata, text, content, "
    "vector"
)


def export_lines(connection: sqlite3.Connection, path: Path, scope: Scope, *, vectors: bool) -> int:
    """Write every version of the items in a namespace into a file, one JSON object a line.

    Returns:
        How many were written. The file is there as a whole, or not at all.
    """
    file_of_memory = connection.execute("PRAGMA database_list").fetchone()[2]
    if file_of_memory and path.resolve() == Path(file_of_memory).resolve():
        raise MemoryContentError(f"{path} is the memory itself: export it into another file")
    part = path.with_name(f"{path.name}.part")
    descriptor = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            count = _write(connection, file, scope, vectors=vectors)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    return count


def _write(connection: sqlite3.Connection, file: IO[str], scope: Scope, *, vectors: bool) -> int:
    condition = in_scope(scope)
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM items WHERE {condition.sql} ORDER BY row", condition.parameters
    )
    names = [column[0] for column in found.description]
    count = 0
    for row in found:
        line = _line(dict(zip(names, row, strict=True)), vectors=vectors)
        file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
        count += 1
    return count


def _line(row: dict[str, Any], *, vectors: bool) -> dict[str, Any]:
    line: dict[str, Any] = {"format": _FORMAT}
    line.update({name: row[name] for name in (*_PLAIN, *_TIMES) if row[name] is not None})
    line["scope"] = {level: row[level] for level in ("user", "agent", "conversation") if row[level]}
    line["kind"], line["mime_type"] = row["kind"], row["mime_type"]
    content = row["content"]
    if row["kind"] == "json":
        content = json.loads(content)
    elif row["kind"] == "bytes":
        content = base64.b64encode(content).decode()
    line["content"] = content
    if row["metadata"] is not None:
        line["metadata"] = json.loads(row["metadata"])
    if row["text"] is not None:
        line["text"] = row["text"]
    if vectors and row["vector"] is not None:
        line["embedder"] = row["embedder"]
        line["vector"] = base64.b64encode(row["vector"]).decode()
    return line


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read a file of JSON lines as columns.

    Raises:
        MemoryContentError: A line is not an item; the message has its number.
    """
    with path.open(encoding="utf-8", newline="\n") as file:
        number = 0
        while True:
            number += 1
            try:
                text = file.readline()
                if not text:
                    return
                if text.strip():
                    yield _columns(json.loads(text))
            except _BAD_LINE as error:
                what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
                raise MemoryContentError(
                    f"line {number} of {path} is not an item of a memory: {what}"
                ) from error


def _columns(line: Any) -> dict[str, Any]:
    if not isinstance(line, dict) or line.get("format") != _FORMAT:
        raise MemoryContentError(f"its format is not {_FORMAT!r}")
    scope = Scope(**line.get("scope", {}))
    user, agent, conversation = scope_columns(scope)
    row: dict[str, Any] = {"user": user, "agent": agent, "conversation": conversation}
    for name in ("id", "source", "message_id"):
        value = line["id"] if name == "id" else line.get(name)
        row[name] = None if value is None else storable_text(name, value)
    if not row["id"] or isinstance(line["version"], bool) or int(line["version"]) < 1:
        raise MemoryContentError("an id is not empty, and a version at least 1")
    row["version"] = int(line["version"])
    row["importance"] = checked_importance(line["importance"])
    for name in _TIMES:
        value = line.get(name)
        row[name] = None if value is None else _time(value)
    if row["created_at"] is None or row["valid_from"] is None:
        raise MemoryContentError("created_at and valid_from are missing")
    kind, content = line["kind"], line["content"]
    if kind == "bytes":
        content = base64.b64decode(content, validate=True)
    elif kind == "json":
        content = json.dumps(content, ensure_ascii=False)
    if kind not in {"text", "json", "bytes", "image"} or not isinstance(content, (str, bytes)):
        raise MemoryContentError(f"its content is not of the kind {kind!r}")
    metadata = line.get("metadata")
    read: MemoryContent = decode(
        kind, line["mime_type"], None if metadata is None else json.dumps(metadata), content
    )
    encoded = encode(read, line.get("text"))
    row |= {"kind": encoded.kind, "mime_type": encoded.mime_type, "metadata": encoded.metadata}
    row |= {"text": encoded.indexed_text, "content": encoded.content, "hash": encoded.hash}
    row["embedder"] = row["vector"] = None
    if "vector" in line:
        row["embedder"] = storable_text("embedder", line["embedder"])
        row["vector"] = base64.b64decode(line["vector"], validate=True)
        if len(row["vector"]) % 4 or not row["vector"]:
            raise MemoryContentError("its vector is not float32")
    return row


def _time(value: Any) -> float:
    """Return seconds since 1970 that are a time."""
    from_timestamp(float(value))
    return float(value)


def import_lines(connection: sqlite3.Connection, path: Path, scope: Scope) -> int:
    """Insert the items of a file, all or none.

    Versions that are there already are skipped.

    Returns:
        How many versions were inserted.

    Raises:
        MemoryContentError: A line is not an item, lies outside of the namespace, or contradicts
            an item that is there.
    """
    changed = next_change(connection)
    count = 0
    for row in read_lines(path):
        levels = {level: row[level] for level in ("user", "agent", "conversation") if row[level]}
        if not scope.contains(Scope(**levels)):
            raise MemoryContentError(
                f"item {row['id']!r} of {path} is outside of the namespace of this memory: import "
                "it into a memory without this limit"
            )
        existing = connection.execute(
            "SELECT hash FROM items WHERE id = ? AND version = ? AND user = ? AND agent = ? "
            "AND conversation = ?",
            (row["id"], row["version"], row["user"], row["agent"], row["conversation"]),
        ).fetchone()
        if existing is not None and existing[0] == row["hash"]:
            continue
        try:
            names = ", ".join(row)
            marks = ", ".join("?" * len(row))
            connection.execute(
                f"INSERT INTO items ({names}, changed) VALUES ({marks}, ?)",
                (*row.values(), changed),
            )
        except sqlite3.IntegrityError as error:
            raise MemoryContentError(
                f"item {row['id']!r} of {path} contradicts one of this memory"
            ) from error
        count += 1
    return count
