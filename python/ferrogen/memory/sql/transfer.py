"""Export and import of items as JSON lines."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ferrogen.exceptions import MemoryContentError, MemoryStoreError
from ferrogen.memory.content import MemoryContent
from ferrogen.memory.items import (
    Scope,
    checked_importance,
    from_timestamp,
    storable_text,
)
from ferrogen.memory.sql.backend import Backend, Connection
from ferrogen.memory.sql.conditions import in_scope
from ferrogen.memory.sql.encoding import decode, encode, scope_of
from ferrogen.memory.sql.writing import (
    IN_SAME_SCOPE,
    SCOPE_COLUMNS,
    insert_row,
    next_change,
    scope_columns,
    scope_values,
)
from ferrogen.memory.words import with_spaces

_BAD_LINE = (
    *(ValueError, TypeError, KeyError, AttributeError),
    *(RecursionError, OverflowError, OSError),
)
_FORMAT = "ferrogen.memory/1"
_PLAIN = ("id", "version", "source", "message_id", "importance")
_TIMES = ("created_at", "valid_from", "valid_until", "expires_at")
_COLUMNS = (
    *("id", "version", *SCOPE_COLUMNS, "source", "message_id", "importance", *_TIMES),
    *("embedder", "kind", "mime_type", "metadata", "text", "content", "vector"),
)


def export_lines(
    connection: Connection, backend: Backend, path: Path, scope: Scope, *, vectors: bool
) -> int:
    """Write every version of the items in a namespace into a file, one JSON object a line.

    Returns:
        How many were written. The file is there as a whole, or not at all.
    """
    if not path.name or path.is_dir():
        raise MemoryStoreError(f"{path} is a folder: export into a file")
    if path.resolve() == Path(backend.database.path).resolve():
        raise MemoryContentError(f"{path} is the memory itself: export it into another file")
    part = path.with_name(f"{path.name}.part")
    try:
        descriptor = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            count = _write(connection, backend, file, scope, vectors=vectors)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            raise MemoryStoreError(f"{path} cannot be written: {error.strerror}") from error
        raise
    return count


def _write(
    connection: Connection, backend: Backend, file: IO[str], scope: Scope, *, vectors: bool
) -> int:
    condition = in_scope(scope)
    found = connection.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM items WHERE {condition.sql} ORDER BY row",
        condition.parameters,
    )
    count = 0
    for row in found:
        columns = dict(zip(_COLUMNS, row, strict=True))
        if not vectors or columns["vector"] is None:
            columns["vector"] = None
        else:
            columns["vector"] = backend.packed(columns["vector"])
        line = _line(columns)
        file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
        count += 1
    return count


def _line(row: dict[str, Any]) -> dict[str, Any]:
    line: dict[str, Any] = {"format": _FORMAT}
    line.update({name: row[name] for name in (*_PLAIN, *_TIMES) if row[name] is not None})
    line["scope"] = scope_of(*(row[name] for name in SCOPE_COLUMNS)).levels()
    line["kind"], line["mime_type"] = row["kind"], row["mime_type"]
    content = row["content"]
    if isinstance(content, bytes) and row["kind"] != "bytes":
        content = content.decode()
    searched = with_spaces(content).replace("\0", " ") if row["kind"] == "text" else None
    if row["kind"] == "json":
        content = json.loads(content)
    elif row["kind"] == "bytes":
        content = base64.b64encode(content).decode()
    line["content"] = content
    if row["metadata"] is not None:
        line["metadata"] = json.loads(row["metadata"])
    if row["text"] is not None and row["text"] != searched:
        line["text"] = row["text"]
    if row["vector"] is not None:
        line["embedder"] = row["embedder"]
        line["vector"] = base64.b64encode(row["vector"]).decode()
    return line


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read a file of JSON lines as columns, with the scope and the encoded content.

    Raises:
        MemoryContentError: A line is not an item; the message has its number.
    """
    try:
        opened = path.open(encoding="utf-8", newline="\n")
    except OSError as error:
        raise MemoryStoreError(f"{path} cannot be read: {error.strerror}") from error
    with opened as file:
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
    row: dict[str, Any] = {"scope": Scope(**line.get("scope", {}))}
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
    row["encoded"] = encode(read, line.get("text"))
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


def import_lines(connection: Connection, backend: Backend, path: Path, scope: Scope) -> int:
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
        inside, encoded = row.pop("scope"), row.pop("encoded")
        if not scope.contains(inside):
            raise MemoryContentError(
                f"item {row['id']!r} of {path} is outside of the namespace of this memory: import "
                "it into a memory without this limit"
            )
        existing = connection.execute(
            f"SELECT hash FROM items WHERE id = ? AND version = ? AND {IN_SAME_SCOPE}",
            (row["id"], row["version"], *scope_columns(inside)),
        ).fetchone()
        if existing is not None and existing[0] == encoded.hash:
            continue
        row |= {**scope_values(inside), **backend.columns(encoded), "changed": changed}
        if row["vector"] is not None:
            row["vector"] = backend.vector(row["vector"])
        try:
            insert_row(connection, backend, row)
        except MemoryContentError as error:
            raise MemoryContentError(
                f"item {row['id']!r} of {path} contradicts one of this memory"
            ) from error
        count += 1
    return count
