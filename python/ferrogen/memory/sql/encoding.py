"""Contents as columns of a row, and rows as items."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ferrogen._image import Image
from ferrogen.exceptions import MemoryContentError
from ferrogen.memory.content import MemoryContent
from ferrogen.memory.items import MemoryItem, Scope, from_timestamp, storable_text
from ferrogen.memory.words import with_spaces

RECALL_KEY = "memory"
"""The key of metadata under which `query` returns score and provenance; it is not stored."""

ITEM_COLUMNS = (
    "items.row, items.id, items.version, items.user, items.agent, items.conversation, "
    "items.source, items.message_id, items.importance, items.created_at, items.valid_from, "
    "items.valid_until, items.expires_at, items.embedder, items.kind, items.mime_type, "
    "items.metadata, items.content"
)
"""The columns that `item_of` reads."""

_DEEPEST = 100
# Text properties that may describe a picture.
_DESCRIPTIONS = ("description", "caption", "alt", "title")


@dataclass(frozen=True)
class EncodedContent:
    """A content as columns.

    Args:
        kind: How the content is stored.
        mime_type: The kind of content.
        content: The content as SQLite stores it.
        metadata: The metadata as JSON.
        text: The text to search and to embed.
        hash: Equal for equal contents.
    """

    kind: str
    mime_type: str
    content: str | bytes
    metadata: str | None
    text: str
    hash: bytes

    @property
    def indexed_text(self) -> str | None:
        """The text for the full-text index; None if it is the content."""
        spaced = with_spaces(self.text)
        return None if self.kind == "text" and spaced == self.content else spaced


def text_to_embed(kind: str, text: str | None, content: Any) -> str:
    """Return the text that an embedder gets for a row."""
    if kind == "text":
        written = content.decode() if isinstance(content, bytes) else str(content)
        if text is None or with_spaces(written) == text:
            return written
    return text or ""


def encode(content: MemoryContent, text: str | None = None) -> EncodedContent:
    """Turn a content into columns.

    Args:
        content: The content.
        text: The text to search, if that is not the content itself.

    Raises:
        MemoryContentError: It cannot be stored.
    """
    mime_type = storable_text(
        "the mime type of a content", content.serialize_mime_type(content.mime_type)
    )
    metadata = _metadata_json(content.metadata)
    kind, stored, found = _stored(content, mime_type)
    text = found if text is None else text
    parts = (kind, mime_type, stored, with_spaces(text))
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return EncodedContent(kind, mime_type, stored, metadata, text, digest.digest())


def _stored(content: MemoryContent, mime_type: str) -> tuple[str, str | bytes, str]:
    value = content.content
    description = _description(content.metadata)
    if isinstance(value, str):
        storable_text("a content", value, with_nul=True)
        is_reference = mime_type.startswith("image/")
        return "text", value, f"{description} {value}".strip() if is_reference else value
    if isinstance(value, dict):
        return "json", _json("a content", value), "\n".join(_texts(value))
    if isinstance(value, bytes):
        return "bytes", value, description
    return "image", value.to_base64(), description


def _description(metadata: dict[str, Any] | None) -> str:
    found = [(metadata or {}).get(name) for name in _DESCRIPTIONS]
    return " ".join(text for text in found if isinstance(text, str))


def _metadata_json(metadata: dict[str, Any] | None) -> str | None:
    if metadata is None:
        return None
    kept = {name: value for name, value in metadata.items() if name != RECALL_KEY}
    written = _json("metadata", kept)
    if "\\u0000" in written and "\0" in "".join(_texts(kept)):
        raise MemoryContentError("metadata has a NUL character; remove it")
    return written


def _json(name: str, value: dict[str, Any]) -> str:
    if _is_deep(value):
        raise MemoryContentError(f"{name} is nested more than {_DEEPEST} times: make it flatter")
    try:
        written = json.dumps(value, ensure_ascii=False, allow_nan=False)
        written.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise MemoryContentError(f"{name} cannot be stored as JSON: {error}") from error
    if json.loads(written) != value:
        raise MemoryContentError(
            f"{name} would not be the same after it was stored as JSON: use text as keys, and "
            "lists instead of tuples"
        )
    return written


def _is_deep(value: Any) -> bool:
    """Return whether JSON is nested more deeply than SQLite and others can read."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, (dict, list, tuple))
        ]
        if not level:
            return False
    return True


def _texts(value: Any) -> Iterator[str]:
    """Yield the keys and values of JSON."""
    if isinstance(value, dict):
        for key, one in value.items():
            if isinstance(one, (dict, list)):
                yield str(key)
                yield from _texts(one)
            else:
                yield f"{key}: {one}"
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    else:
        yield str(value)


def item_of(row: Sequence[Any]) -> MemoryItem:
    """Return the item in a row of `ITEM_COLUMNS`."""
    until, expires = row[11], row[12]
    return MemoryItem(
        id=row[1],
        version=row[2],
        scope=scope_of(row[3], row[4], row[5]),
        source=row[6],
        message_id=row[7],
        importance=row[8],
        created_at=from_timestamp(row[9]),
        valid_from=from_timestamp(row[10]),
        valid_until=None if until is None else from_timestamp(until),
        expires_at=None if expires is None else from_timestamp(expires),
        embedder=row[13],
        content=decode(row[14], row[15], row[16], row[17]),
    )


@lru_cache(maxsize=256)
def scope_of(user: str, agent: str, conversation: str) -> Scope:
    """Return the namespace in three columns."""
    return Scope(user=user or None, agent=agent or None, conversation=conversation or None)


def decode(kind: str, mime_type: str, metadata: str | None, content: Any) -> MemoryContent:
    """Return the content in four columns."""
    value = content
    if isinstance(content, bytes) and kind != "bytes":  # where text cannot hold every character
        content = value = content.decode()
    if kind == "json":
        value = json.loads(content)
    elif kind == "image":
        value = Image.from_base64(content)
    described = None if metadata is None else json.loads(metadata)
    if kind == "text":  # as it was: text that looks like written bytes is text
        return MemoryContent.model_construct(
            {"content", "mime_type", "metadata"},
            content=value,
            mime_type=mime_type,
            metadata=described,
        )
    return MemoryContent(content=value, mime_type=mime_type, metadata=described)
