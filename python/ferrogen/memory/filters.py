"""Filters: typed expressions that select items before they are ranked."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from ferrogen.exceptions import MemoryContentError, MemoryQueryError
from ferrogen.memory.items import MemoryItem, storable_text

Value: TypeAlias = str | int | float | bool | datetime | None
"""A value to compare a field with."""
Operator: TypeAlias = Literal["==", "<", "<=", ">", ">=", "in", "prefix", "contains", "exists"]
Kind: TypeAlias = Literal["text", "number", "time", "json"]

MISSING: Any = object()
"""The value of a field that an item does not have."""

_MAX_DEPTH = 100


class Filter:
    """A condition on items; combine them with ``&``, ``|`` and ``~``.

    A comparison with a field that an item does not have is false, and its negation true.

    Example:
        ```python
        from ferrogen.memory import filters

        about_tea = filters.metadata("topic").equals("tea")
        recent = about_tea & ~filters.SOURCE.one_of(["bot", "test"])
        assert isinstance(recent, filters.AllOf)
        ```
    """

    depth = 1
    """How deeply expressions are nested."""

    def __and__(self, other: Filter) -> Filter:
        return AllOf((self, other))

    def __or__(self, other: Filter) -> Filter:
        return AnyOf((self, other))

    def __invert__(self) -> Filter:
        return Not(self)

    def matches(self, item: MemoryItem) -> bool:
        """Return whether an item fulfills the condition."""
        raise NotImplementedError


@dataclass(frozen=True)
class Field:
    """A field of items: a column, or a value in the metadata.

    Args:
        name: The name of the column, or ``"metadata"``.
        kind: The type of its values; ``"json"`` for metadata, whose values may be of any type.
        path: The keys that lead to a value in the metadata.
    """

    name: str
    kind: Kind
    path: tuple[str, ...] = ()

    def equals(self, value: Value) -> Filter:
        """Select items with this value; True and 1 differ, 1 and 1.0 do not."""
        return Comparison(self, "==", self._checked(value))

    def less_than(self, value: Value) -> Filter:
        """Select items with a smaller value of the same type."""
        return Comparison(self, "<", self._ordered(value))

    def at_most(self, value: Value) -> Filter:
        """Select items with this or a smaller value of the same type."""
        return Comparison(self, "<=", self._ordered(value))

    def greater_than(self, value: Value) -> Filter:
        """Select items with a greater value of the same type."""
        return Comparison(self, ">", self._ordered(value))

    def at_least(self, value: Value) -> Filter:
        """Select items with this or a greater value of the same type."""
        return Comparison(self, ">=", self._ordered(value))

    def between(self, low: Value, high: Value) -> Filter:
        """Select items with a value from ``low`` to ``high``, both included."""
        return self.at_least(low) & self.at_most(high)

    def one_of(self, values: Iterable[Value]) -> Filter:
        """Select items with one of these values."""
        if isinstance(values, str):
            raise MemoryQueryError(f"one_of needs several values, not the text {values!r}")
        return Comparison(self, "in", tuple(map(self._checked, values)))

    def starts_with(self, prefix: str) -> Filter:
        """Select items whose text starts with this one."""
        if self.kind not in {"text", "json"} or not isinstance(prefix, str):
            raise MemoryQueryError(f"{self} cannot start with {prefix!r}: both have to be text")
        return Comparison(self, "prefix", self._checked(prefix))

    def contains(self, value: Value) -> Filter:
        """Select items that have a list with this value in their metadata."""
        if self.kind != "json":
            raise MemoryQueryError(f"{self} is not a list; only lists in the metadata are")
        return Comparison(self, "contains", self._checked(value))

    def exists(self) -> Filter:
        """Select items that have the field."""
        return Comparison(self, "exists", None)

    def __str__(self) -> str:
        return ".".join((self.name, *self.path))

    def _ordered(self, value: Value) -> Value:
        if value is None or isinstance(value, bool):
            raise MemoryQueryError(f"{self} cannot be smaller or greater than {value!r}")
        return self._checked(value)

    def _checked(self, value: Value) -> Value:
        wanted: dict[Kind, tuple[type, ...]] = {
            "text": (str,),
            "number": (int, float),
            "time": (datetime,),
            "json": (str, int, float, bool, type(None)),
        }
        fits = isinstance(value, wanted[self.kind])
        if not fits or (isinstance(value, bool) and self.kind != "json"):
            raise MemoryQueryError(f"{self} cannot be compared with {value!r}")
        if isinstance(value, str):
            try:
                storable_text(f"the value that {self} is compared with", value)
            except MemoryContentError as error:
                raise MemoryQueryError(str(error)) from None
        elif isinstance(value, datetime):
            if value.tzinfo is None:
                raise MemoryQueryError(f"{self} is compared with {value!r}: add a time zone")
        elif not _is_storable_number(value):
            raise MemoryQueryError(f"{self} cannot be compared with {value!r}: out of range")
        return value


@dataclass(frozen=True)
class Comparison(Filter):
    """A field compared with a value; made by the methods of `Field`."""

    field: Field
    operator: Operator
    value: Any

    def matches(self, item: MemoryItem) -> bool:
        """Return whether the field of an item fulfills the condition."""
        found = _value_of(item, self.field)
        if found is MISSING:
            return False
        if self.operator == "exists":
            return True
        if self.operator == "in":
            return any(_equal(found, one) for one in self.value)
        if self.operator == "contains":
            return isinstance(found, list) and any(_equal(one, self.value) for one in found)
        if self.operator == "prefix":
            return isinstance(found, str) and found.startswith(self.value)
        if self.operator == "==":
            return _equal(found, self.value)
        return _is_ordered(found, self.operator, self.value)


@dataclass(frozen=True)
class AllOf(Filter):
    """Items that fulfill all conditions."""

    filters: tuple[Filter, ...]

    def __post_init__(self) -> None:
        _nest(self, self.filters)

    def matches(self, item: MemoryItem) -> bool:
        """Return whether an item fulfills all conditions."""
        return all(each.matches(item) for each in self.filters)


@dataclass(frozen=True)
class AnyOf(Filter):
    """Items that fulfill at least one condition."""

    filters: tuple[Filter, ...]

    def __post_init__(self) -> None:
        _nest(self, self.filters)

    def matches(self, item: MemoryItem) -> bool:
        """Return whether an item fulfills one of the conditions."""
        return any(each.matches(item) for each in self.filters)


@dataclass(frozen=True)
class Not(Filter):
    """Items that do not fulfill a condition."""

    filter: Filter

    def __post_init__(self) -> None:
        _nest(self, (self.filter,))

    def matches(self, item: MemoryItem) -> bool:
        """Return whether an item does not fulfill the condition."""
        return not self.filter.matches(item)


def chosen(which: str | Filter) -> Filter:
    """Return the filter for the id of an item, or the filter itself.

    Raises:
        MemoryQueryError: It is neither; None does not mean all items.
    """
    if isinstance(which, str):
        return ID.equals(which)
    if not isinstance(which, Filter):
        raise MemoryQueryError(
            f"items are chosen by an id or a filter, not by {which!r}; clear() removes all of them"
        )
    return which


ID = Field("id", "text")
"""The id of an item."""
USER = Field("user", "text")
"""The user of its namespace."""
AGENT = Field("agent", "text")
"""The agent of its namespace."""
CONVERSATION = Field("conversation", "text")
"""The conversation of its namespace."""
SOURCE = Field("source", "text")
"""The author."""
MESSAGE_ID = Field("message_id", "text")
"""The message that it is from."""
MIME_TYPE = Field("mime_type", "text")
"""The kind of content."""
IMPORTANCE = Field("importance", "number")
"""The importance, from 0 to 1."""
VERSION = Field("version", "number")
"""The number of the version."""
CREATED_AT = Field("created_at", "time")
"""When the first version was written."""
VALID_FROM = Field("valid_from", "time")
"""When this version was written."""
EXPIRES_AT = Field("expires_at", "time")
"""The end of its lifetime."""


def metadata(*path: str) -> Field:
    """Return the field of a value in the metadata.

    Args:
        *path: Its key; in a nested object, the keys that lead to it.

    Raises:
        MemoryQueryError: There is no key, or one is not text.

    Example:
        ```python
        from ferrogen.memory import filters

        in_turin = filters.metadata("address", "city").equals("Turin")
        ```
    """
    if not path or len(path) > 20:
        raise MemoryQueryError("metadata() needs a key, and at most 20")
    try:
        for key in path:
            storable_text("a key of metadata", key)
    except MemoryContentError as error:
        raise MemoryQueryError(str(error)) from None
    return Field("metadata", "json", path)


def _is_storable_number(value: Value) -> bool:
    """Return whether SQLite can hold a value, if it is a number; True for others."""
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def _nest(outer: Filter, inner: tuple[Filter, ...]) -> None:
    for each in inner:
        if not isinstance(each, Filter):
            raise MemoryQueryError(f"a filter is combined with filters, not with {each!r}")
    depth = 1 + max((each.depth for each in inner), default=0)
    if depth > _MAX_DEPTH:
        raise MemoryQueryError(
            f"a filter is nested more than {_MAX_DEPTH} times: use one_of, AllOf or AnyOf"
        )
    object.__setattr__(outer, "depth", depth)


def _value_of(item: MemoryItem, field: Field) -> Any:
    if field.name == "metadata":
        found: Any = item.content.metadata or {}
        for key in field.path:
            if not isinstance(found, dict) or key not in found:
                return MISSING
            found = found[key]
        return found
    if field.name in {"user", "agent", "conversation"}:
        found = getattr(item.scope, field.name)
    elif field.name == "mime_type":
        found = item.content.serialize_mime_type(item.content.mime_type)
    else:
        found = getattr(item, field.name)
    return MISSING if found is None else found


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return type(value).__name__
    if isinstance(value, (int, float)):
        return "number"
    return type(value).__name__


def _equal(found: Any, value: Any) -> bool:
    return _kind(found) == _kind(value) and bool(found == value)


def _is_ordered(found: Any, operator: Operator, value: Any) -> bool:
    if _kind(found) != _kind(value):
        return False
    if operator == "<":
        return bool(found < value)
    if operator == "<=":
        return bool(found <= value)
    return bool(found > value) if operator == ">" else bool(found >= value)
