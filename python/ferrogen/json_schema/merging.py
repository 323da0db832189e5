"""Two schemas that both have to hold, as one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from ferrogen.exceptions import UnsupportedKeywordError
from ferrogen.json_schema.evaluation import canonical
from ferrogen.json_schema.references import Schema, look_up, modern

ANNOTATIONS = frozenset(
    [
        "$anchor",
        "$comment",
        "$defs",
        "$dynamicAnchor",
        "$id",
        "$schema",
        "default",
        "definitions",
        "deprecated",
        "description",
        "discriminator",
        "examples",
        "id",
        "readOnly",
        "title",
        "writeOnly",
    ]
)


# What cannot be merged with its like, as it belongs together or is about a value as a whole. One
# of two stays where it is; the other one is listed under ALSO.
ALSO = "allOf"
_GROUPS = (("not",), ("if", "then", "else"), ("contains", "minContains", "maxContains"))
_EXTRA = ("patternProperties", "additionalProperties")


def merge(first: Schema, second: Schema) -> dict[str, Any]:
    """Combine two schemas without references into one that asks for both.

    What only describes (title, default and the like) is taken from the second, if both have it.

    Raises:
        UnsupportedKeywordError: If no single schema says the same.
    """
    first, second = dict(first), dict(second)
    also = [*first.pop(ALSO, ()), *second.pop(ALSO, ())]
    for group in _GROUPS:
        taken = {keyword: second[keyword] for keyword in group if keyword in second}
        if taken and any(keyword in first for keyword in group):
            second = {keyword: second[keyword] for keyword in second.keys() - taken.keys()}
            also.append(taken)
    if _differ_in_extra_properties(first, second):
        for side in (first, second):
            extra = {keyword: side.pop(keyword) for keyword in _EXTRA if keyword in side}
            if extra:
                also.append(
                    {"properties": dict.fromkeys(side.get("properties", ()), True), **extra}
                )
    merged = {**first, **second, **({ALSO: also} if also else {})}
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


def _differ_in_extra_properties(first: Schema, second: Schema) -> bool:
    """Whether one of two schemas judges properties that the other one declares."""
    for side, other in ((first, second), (second, first)):
        extra = any(side.get(keyword, True) is not True for keyword in _EXTRA)
        declared = other.get("properties", {}).keys() - side.get("properties", {}).keys()
        if extra and (declared or any(keyword in other for keyword in _EXTRA)):
            return True
    return False


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
    known = {canonical(value) for value in other}
    return [value for value in mine if canonical(value) in known]


def _types(mine: Any, other: Any) -> list[str]:
    names = [[types] if isinstance(types, str) else list(types) for types in (mine, other)]
    for some, others in (names, reversed(names)):
        if "number" in some and "number" not in others and "integer" in others:
            some.append("integer")
    shared = _shared(*names)
    if not shared:
        raise UnsupportedKeywordError(f"nothing is of type {mine!r} and of type {other!r}")
    return shared


def _common_multiple(mine: Any, other: Any) -> Any:
    first, second = Fraction(str(mine)), Fraction(str(other))
    common = Fraction(
        math.lcm(first.numerator, second.numerator), math.gcd(first.denominator, second.denominator)
    )
    return int(common) if common.denominator == 1 else float(common)


def _same_value(mine: Any, other: Any) -> Any:
    if canonical(mine) != canonical(other):
        raise UnsupportedKeywordError(f"no value is both {mine!r} and {other!r}")
    return mine


_BOTH: Mapping[str, Callable[[Any, Any], Any]] = {
    "properties": _properties,
    "items": _both_of,
    "pattern": lambda mine, other: f"^(?=[^]*?(?:{mine}))(?=[^]*?(?:{other}))",
    "multipleOf": _common_multiple,
    "const": _same_value,
    "propertyNames": _both_of,
    "dependentRequired": lambda mine, other: {
        key: _every(mine.get(key, []), other.get(key, [])) for key in {**mine, **other}
    },
    "dependentSchemas": _properties,
    "required": _every,
    "enum": _shared,
    "type": _types,
    "uniqueItems": lambda mine, other: mine or other,
    **dict.fromkeys(["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"], max),
    **dict.fromkeys(["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"], min),
}


def flatten(schema: Any, root: Schema, via: tuple[str, ...] = ()) -> dict[str, Any]:
    """Write out the reference and the allOf of a schema.

    Raises:
        UnsupportedKeywordError: If a reference leads to nothing but itself (``via`` has those that
            led here), or if its parts contradict each other.
    """
    if isinstance(schema, bool):
        return {} if schema else {"not": {}}
    reference = schema.get("$ref")
    if reference in via:
        raise UnsupportedKeywordError(
            f"reference {reference!r} leads back to itself by way of $ref and allOf alone; "
            "put a property or items in between"
        )
    flat: dict[str, Any] = {}
    if reference is not None:
        flat = merge(flat, flatten(look_up(reference, root), root, (*via, reference)))
    for part in schema.get("allOf", ()):
        flat = merge(flat, flatten(part, root, via))
    own = {key: schema[key] for key in schema if key not in ("$ref", "allOf")}
    return merge(flat, modern(own))
