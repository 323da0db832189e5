"""Two schemas that both have to hold, as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ferrogen.exceptions import UnsupportedKeywordError

Schema = Mapping[str, Any]

ANNOTATIONS = frozenset(
    [
        "$comment",
        "$defs",
        "$id",
        "$schema",
        "default",
        "definitions",
        "deprecated",
        "description",
        "discriminator",
        "examples",
        "readOnly",
        "title",
        "writeOnly",
    ]
)


def merge(first: Schema, second: Schema) -> dict[str, Any]:
    """Combine two schemas without references into one that asks for both.

    What only describes (title, default and the like) is taken from the second, if both have it.

    Raises:
        UnsupportedKeywordError: If no single schema says the same.
    """
    merged = {**first, **second}
    for keyword in first.keys() & second.keys() - ANNOTATIONS:
        mine, other = first[keyword], second[keyword]
        if mine != other:
            if keyword not in _BOTH:
                raise UnsupportedKeywordError(
                    f"two values of {keyword!r} cannot hold at once: {mine!r} and {other!r}; "
                    "write them as one"
                )
            merged[keyword] = _BOTH[keyword](mine, other)
    return merged


def _properties(mine: Schema, other: Schema) -> dict[str, Any]:
    return {
        name: _both_of(mine[name], other[name])
        if name in mine and name in other and mine[name] != other[name]
        else {**mine, **other}[name]
        for name in {**mine, **other}
    }


def _both_of(mine: Any, other: Any) -> Any:
    return {"allOf": [mine, other]}


def _every(mine: list[Any], other: list[Any]) -> list[Any]:
    return [*mine, *(value for value in other if value not in mine)]


def _shared(mine: list[Any], other: list[Any]) -> list[Any]:
    return [value for value in mine if value in other]


def _types(mine: Any, other: Any) -> list[str]:
    names = [[types] if isinstance(types, str) else list(types) for types in (mine, other)]
    for some, others in (names, reversed(names)):
        if "number" in some and "number" not in others and "integer" in others:
            some.append("integer")
    shared = _shared(*names)
    if not shared:
        raise UnsupportedKeywordError(f"nothing is of type {mine!r} and of type {other!r}")
    return shared


_BOTH: Mapping[str, Callable[[Any, Any], Any]] = {
    "properties": _properties,
    "items": _both_of,
    "required": _every,
    "enum": _shared,
    "type": _types,
    "uniqueItems": lambda mine, other: mine or other,
    **dict.fromkeys(["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"], max),
    **dict.fromkeys(["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"], min),
}
