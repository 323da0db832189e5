"""Evaluation of a JSON Schema on a JSON value, for what pydantic types cannot express."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from pydantic_core import SchemaError, SchemaValidator, core_schema

from ferrogen.exceptions import UnsupportedKeywordError
from ferrogen.json_schema.references import Schema, look_up, modern

# Escapes, sets, groups with names, and the ends of a text, which differ in Python.
_TOKEN = re.compile(
    r"\\k<(\w+)>|\\.|\[\^?\]|\[(?:\\.|[^\]\\])*\]|\(\?<(?![=!])(\w+)>|\$", re.DOTALL
)
_IN_PYTHON = {"$": r"\Z", "[^]": r"[\s\S]", "[]": "(?!)"}


def search(pattern: str, text: str) -> bool:
    """Whether a pattern matches somewhere in a text.

    Raises:
        UnsupportedKeywordError: It is not a regular expression that Python has.
    """
    return compiled(pattern).search(text) is not None


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern by Python's ``re``, which has look-around and references to groups.

    Raises:
        UnsupportedKeywordError: It is not a regular expression that Python has.
    """
    try:
        return re.compile(_TOKEN.sub(_in_python, pattern), re.ASCII)
    except re.error as error:
        raise UnsupportedKeywordError(
            f"pattern {pattern!r} is not a regular expression that can be checked: {error}"
        ) from error


@lru_cache(maxsize=256)
def pydantic_reads(pattern: str) -> bool:
    """Whether pydantic's own engine, which is faster and has no look-around, reads a pattern."""
    try:
        SchemaValidator(core_schema.str_schema(pattern=pattern))
    except SchemaError:
        return False
    return True


def _in_python(token: re.Match[str]) -> str:
    if token[1]:
        return f"(?P={token[1]})"
    if token[2]:
        return f"(?P<{token[2]}>"
    return _IN_PYTHON.get(token[0], token[0])


class Evaluation:
    """Evaluates a schema and what it refers to.

    Args:
        root: The document, with absolute references.
    """

    def __init__(self, root: Schema) -> None:
        self._root = root

    def holds(self, schema: Any, value: Any, via: tuple[str, ...] = ()) -> bool:
        """Whether a schema allows a value. References that lead here are in ``via``."""
        if not isinstance(schema, Mapping):
            return schema is not False
        schema = modern(schema)
        reference = schema.get("$ref")
        if reference is not None and reference not in via:
            target = look_up(reference, self._root)
            if not self.holds(target, value, (*via, reference)):
                return False
        return all(
            check(self, schema, value, via)
            for keyword, check in _CHECKS.items()
            if keyword in schema
        )


_Check = Callable[[Evaluation, Mapping[str, Any], Any, tuple[str, ...]], bool]


def canonical(value: Any) -> str:
    """Write a JSON value so that equal values, such as 1 and 1.0, have equal texts."""
    return json.dumps(_whole_numbers(value), sort_keys=True, default=repr)


def _whole_numbers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, (list, tuple)):
        return [_whole_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole_numbers(item) for key, item in value.items()}
    return value


def is_number(value: Any) -> bool:
    """Whether a value is a number, which a truth value is not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "array": lambda value: isinstance(value, (list, tuple)),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: (
        is_number(value) and (isinstance(value, int) or float(value).is_integer())
    ),
    "null": lambda value: value is None,
    "number": is_number,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}


def has_type(value: Any, names: Any) -> bool:
    """Whether a value has one of the types with these names."""
    listed = [names] if isinstance(names, str) else names
    return any(_TYPES[name](value) for name in listed if name in _TYPES)


def _type(of: Evaluation, schema: Schema, value: Any, via: tuple[str, ...]) -> bool:
    return has_type(value, schema["type"])


def _enum(of: Evaluation, schema: Schema, value: Any, via: tuple[str, ...]) -> bool:
    return canonical(value) in map(canonical, schema["enum"])


def _const(of: Evaluation, schema: Schema, value: Any, via: tuple[str, ...]) -> bool:
    return canonical(value) == canonical(schema["const"])


def _limit(keyword: str, holds: Callable[[Any, Any], bool]) -> _Check:
    def check(of: Evaluation, schema: Schema, value: Any, via: tuple[str, ...]) -> bool:
        return not is_number(value) or holds(value, schema[keyword])

    return check


def _multiple(value: Any, of: Any) -> bool:
    return Fraction(str(value)) % Fraction(str(of)) == 0


def _size(keyword: str, kind: Any, holds: Callable[[int, int], bool]) -> _Check:
    def check(of: Evaluation, schema: Schema, value: Any, via: tuple[str, ...]) -> bool:
        return not isinstance(value, kind) or holds(len(value), schema[keyword])

    return check


def _pattern(of: Evaluation, schema: Schema, value: Any, via: tuple[str, ...]) -> bool:
    return not isinstance(value, str) or search(schema["pattern"], value)


def _items(of: Evaluation, schema: Schema, value: Any, via: tuple[str, ...]) -> bool:
    if not isinstance(value, (list, tuple)):
        return True
    first = schema.get("prefixItems", ())
    rest = schema.get("items", True)
    return all(of.holds(inner, item) for inner, item in zip(first, value, strict=False)) and all(
        of.holds(rest, item) for item in value[len(first) :]
    )


def _unique(of: Evaluation, schema: Schema, value: Any, via: tuple[str, ...]) -> bool:
    if not schema["uniqueItems"] or not isinstance(value, (list, tuple)):
        return True
    return len(set(map(canonical, value))) == len(value)


def _contains(of: Evaluation, schema: Schema, value: Any, via: tuple[str, ...]) -> bool:
    if not isinstance(value, (list, tuple)):
        return True
    number = sum(of.holds(schema["contains"], item) for item in value)
    enough: bool = schema.get("minContains", 1) <= number <= schema.get("maxContains", number)
    return enough


def _properties(of: Evaluation, schema: Schema, value: Any, via: tuple[str, ...]) -> bool:
    if not isinstance(value, dict):
        return True
    declared = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    extra = schema.get("additionalProperties", True)
    for key, item in value.items():
        matching = [inner for pattern, inner in patterns.items() if search(pattern, key)]
        schemas = [*matching, *([declared[key]] if key in declared else [])]
        if not all(of.holds(inner, item) for inner in schemas or [extra]):
            return False
    return True


def _names(of: Evaluation, schema: Schema, value: Any, via: tuple[str, ...]) -> bool:
    return not isinstance(value, dict) or all(
        of.holds(schema["propertyNames"], key) for key in value
    )


def _required(of: Evaluation, schema: Schema, value: Any, via: tuple[str, ...]) -> bool:
    return not isinstance(value, dict) or value.keys() >= set(schema["required"])


def _dependent_required(of: Evaluation, schema: Schema, value: Any, via: tuple[str, ...]) -> bool:
    return not isinstance(value, dict) or all(
        value.keys() >= set(needed)
        for key, needed in schema["dependentRequired"].items()
        if key in value
    )


def _dependent_schemas(of: Evaluation, schema: Schema, value: Any, via: tuple[str, ...]) -> bool:
    return not isinstance(value, dict) or all(
        of.holds(inner, value, via)
        for key, inner in schema["dependentSchemas"].items()
        if key in value
    )


def _all(of: Evaluation, schema: Schema, value: Any, via: tuple[str, ...]) -> bool:
    return all(of.holds(inner, value, via) for inner in schema["allOf"])


def _any(of: Evaluation, schema: Schema, value: Any, via: tuple[str, ...]) -> bool:
    return any(of.holds(inner, value, via) for inner in schema["anyOf"])


def _one(of: Evaluation, schema: Schema, value: Any, via: tuple[str, ...]) -> bool:
    return sum(of.holds(inner, value, via) for inner in schema["oneOf"]) == 1


def _not(of: Evaluation, schema: Schema, value: Any, via: tuple[str, ...]) -> bool:
    return not of.holds(schema["not"], value, via)


def _if(of: Evaluation, schema: Schema, value: Any, via: tuple[str, ...]) -> bool:
    branch = "then" if of.holds(schema["if"], value, via) else "else"
    return of.holds(schema.get(branch, True), value, via)


_TEXT, _LIST = str, (list, tuple)
_CHECKS: Mapping[str, _Check] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "minimum": _limit("minimum", lambda value, limit: value >= limit),
    "maximum": _limit("maximum", lambda value, limit: value <= limit),
    "exclusiveMinimum": _limit("exclusiveMinimum", lambda value, limit: value > limit),
    "exclusiveMaximum": _limit("exclusiveMaximum", lambda value, limit: value < limit),
    "multipleOf": _limit("multipleOf", _multiple),
    "minLength": _size("minLength", _TEXT, lambda size, limit: size >= limit),
    "maxLength": _size("maxLength", _TEXT, lambda size, limit: size <= limit),
    "pattern": _pattern,
    "minItems": _size("minItems", _LIST, lambda size, limit: size >= limit),
    "maxItems": _size("maxItems", _LIST, lambda size, limit: size <= limit),
    "prefixItems": _items,
    "items": _items,
    "uniqueItems": _unique,
    "contains": _contains,
    "minProperties": _size("minProperties", dict, lambda size, limit: size >= limit),
    "maxProperties": _size("maxProperties", dict, lambda size, limit: size <= limit),
    "properties": _properties,
    "patternProperties": _properties,
    "additionalProperties": _properties,
    "propertyNames": _names,
    "required": _required,
    "dependentRequired": _dependent_required,
    "dependentSchemas": _dependent_schemas,
    "allOf": _all,
    "anyOf": _any,
    "oneOf": _one,
    "not": _not,
    "if": _if,
}
