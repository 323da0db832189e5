"""Items of a memory: their namespace, their provenance and their lifetime."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, timezone
from typing import Any

from ferrogen.exceptions import MemoryContentError, MemoryScopeError
from ferrogen.memory.content import MemoryContent

_LAST_TIME = 253_402_300_799.0


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The namespace of items: a user, an agent and a conversation.

    A level that is not set does not restrict: ``Scope(user="ada")`` contains everything of that
    user, in all conversations and of all agents.

    Args:
        user: The id of a user.
        agent: The id or name of an agent.
        conversation: The id of a conversation.

    Raises:
        MemoryScopeError: A level is empty, or is not text that a file can hold.

    Example:
        ```python
        from ferrogen.memory import Scope

        ada = Scope(user="ada")
        assert ada.contains(Scope(user="ada", conversation="tuesday"))
        assert not ada.contains(Scope(user="bob"))
        ```
    """

    user: str | None = None
    agent: str | None = None
    conversation: str | None = None

    def __post_init__(self) -> None:
        levels: dict[str, Any] = dict(self.levels())
        for level, value in levels.items():
            if not isinstance(value, str) or not value:
                raise MemoryScopeError(f"the {level} of a scope is non-empty text, not {value!r}")
            try:
                storable_text(f"the {level} of a scope", value)
            except MemoryContentError as error:
                raise MemoryScopeError(str(error)) from None

    def levels(self) -> dict[str, str]:
        """Return the levels that are set, by their names."""
        named = {level.name: getattr(self, level.name) for level in fields(self)}
        return {level: value for level, value in named.items() if value is not None}

    def contains(self, other: Scope) -> bool:
        """Return whether everything in the other namespace is in this one."""
        return self.levels().items() <= other.levels().items()

    def within(self, other: Scope) -> Scope:
        """Return the namespace that is limited by both.

        Raises:
            MemoryScopeError: They exclude each other.
        """
        for level, value in self.levels().items():
            limit = getattr(other, level)
            if limit is not None and limit != value:
                raise MemoryScopeError(
                    f"{level} {value!r} is outside of the namespace of this memory, "
                    f"whose {level} is {limit!r}: use a memory without this limit"
                )
        return Scope(**{**other.levels(), **self.levels()})


@dataclass(frozen=True, kw_only=True)
class NewItem:
    """A content to add to a memory, with its provenance and lifetime.

    Args:
        content: The content.
        id: Its id; by default a new one.
        text: The text to search; by default the text of the content, the texts in a JSON
            content, or the description of an image in its metadata.
        scope: Its namespace, in that of the memory.
        source: The author: a user, an agent, a program.
        message_id: The message that it is from.
        importance: From 0 to 1.
        ttl: How long it is valid, in seconds or as a timedelta; by default forever.
        created_at: When it was written, if that is not now.

    Raises:
        MemoryContentError: An argument is invalid.

    Example:
        ```python
        from ferrogen.memory import MemoryContent, NewItem

        note = MemoryContent(content="likes tea", mime_type="text/plain")
        item = NewItem(content=note, source="ada", message_id="m-17", ttl=3600)
        assert item.importance == 0.5
        ```
    """

    content: MemoryContent
    id: str | None = None
    text: str | None = None
    scope: Scope = Scope()
    source: str | None = None
    message_id: str | None = None
    importance: float = 0.5
    ttl: float | timedelta | None = None
    created_at: datetime | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.content, MemoryContent):
            raise MemoryContentError(
                f"an item needs a MemoryContent, not {type(self.content).__name__}"
            )
        for name in ("id", "source", "message_id"):
            check_name(name, getattr(self, name))
        if self.text is not None:
            storable_text("the text of an item", self.text, with_nul=True)
        if not isinstance(self.scope, Scope):
            raise MemoryContentError(
                f"the scope of an item is a Scope, not {type(self.scope).__name__}"
            )
        checked_importance(self.importance)
        ttl_seconds(self.ttl)
        if self.created_at is not None:
            timestamp("created_at", self.created_at)


@dataclass(frozen=True, kw_only=True)
class MemoryItem:
    """An item as it is stored: a version of it, valid from one time to another.

    Args:
        id: The id, the same for all versions.
        version: The number of the version, from 1.
        content: The content.
        scope: The namespace.
        source: The author.
        message_id: The message that it is from.
        importance: From 0 to 1.
        created_at: When the first version was written.
        valid_from: When this version was written.
        valid_until: When it was replaced or deleted; None for the current version.
        expires_at: The end of its lifetime.
        embedder: The id of the embedder of its vector, if it has one.

    Example:
        ```python
        import asyncio

        from ferrogen.memory import MemoryContent, SqliteMemory


        async def main() -> None:
            memory = SqliteMemory(":memory:")
            await memory.add(MemoryContent(content="likes tea", mime_type="text/plain"))
            (item,) = await memory.items()
            assert (item.version, item.valid_until) == (1, None)
            await memory.close()


        asyncio.run(main())
        ```
    """

    id: str
    version: int
    content: MemoryContent
    scope: Scope
    source: str | None
    message_id: str | None
    importance: float
    created_at: datetime
    valid_from: datetime
    valid_until: datetime | None
    expires_at: datetime | None
    embedder: str | None = None


def check_name(name: str, value: object) -> None:
    """Check the id, the source or the message of an item.

    Raises:
        MemoryContentError: It is neither None nor text that can be stored, or is empty.
    """
    if value is None:
        return
    if not storable_text(f"the {name} of an item", value):
        raise MemoryContentError(f"the {name} of an item must not be empty")


def storable_text(name: str, value: object, *, with_nul: bool = False) -> str:
    """Return a text that SQLite and JSON can hold.

    Raises:
        MemoryContentError: It is not text, or has a lone surrogate, or a NUL where SQLite would
            end it.
    """
    if not isinstance(value, str):
        raise MemoryContentError(f"{name} is text, not {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise MemoryContentError(
            f"{name} has a lone surrogate at position {error.start}, which UTF-8 cannot hold"
        ) from None
    if "\0" in value and not with_nul:
        raise MemoryContentError(f"{name} has a NUL character; remove it")
    return value


def checked_importance(value: Any) -> float:
    """Return an importance.

    Raises:
        MemoryContentError: It is not a number from 0 to 1.
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1:
        raise MemoryContentError(f"an importance is a number from 0 to 1, not {value!r}")
    return float(value)


def ttl_seconds(ttl: float | timedelta | None) -> float | None:
    """Return a lifetime in seconds.

    Raises:
        MemoryContentError: It is not a finite number above zero.
    """
    if ttl is None:
        return None
    seconds: Any = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
    number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not number or not math.isfinite(seconds) or not 0 < seconds < 1e11:
        raise MemoryContentError(f"a ttl is a number of seconds above 0, not {ttl!r}")
    return float(seconds)


def timestamp(name: str, time: Any) -> float:
    """Return a time as seconds since 1970.

    Raises:
        MemoryContentError: It is not a datetime with a time zone.
    """
    if not isinstance(time, datetime) or time.tzinfo is None:
        raise MemoryContentError(f"{name} is a datetime with a time zone, not {time!r}")
    return float(time.timestamp())


def expiry(created: float, ttl: float | None) -> float | None:
    """Return the end of a lifetime as seconds since 1970.

    Raises:
        MemoryContentError: It is after the year 9999.
    """
    if ttl is None:
        return None
    if created + ttl > _LAST_TIME:
        raise MemoryContentError(
            "an item would expire after the year 9999: leave the ttl out, so that it never does"
        )
    return created + ttl


def from_timestamp(seconds: float) -> datetime:
    """Return the time so many seconds after 1970, in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc)
