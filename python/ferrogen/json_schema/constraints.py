"""Limits of a value, in pydantic's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from ferrogen.json_schema.assertions import Assertions
from ferrogen.json_schema.choices import all_different
from ferrogen.json_schema.patterns import compiled, pydantic_reads
from ferrogen.json_schema.references import Schema

_NUMBER = {
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
}
_WORDS: Mapping[str, Mapping[str, str]] = {
    "array": {"minItems": "min_length", "maxItems": "max_length"},
    "integer": _NUMBER,
    "number": _NUMBER,
    "object": {"minProperties": "min_length", "maxProperties": "max_length"},
    "string": {"minLength": "min_length", "maxLength": "max_length", "pattern": "pattern"},
}


def constrained(kind: Any, schema: Schema) -> Any:
    """Narrow a type by what a schema of one JSON type says about its values.

    Raises:
        UnsupportedKeywordError: A pattern is not a regular expression that can be checked.
    """
    words = _WORDS.get(schema["type"], {})
    limits: dict[str, Any] = {words[key]: schema[key] for key in words if key in schema}
    pattern = limits.get("pattern")
    if pattern is not None and not pydantic_reads(pattern):
        del limits["pattern"]
        compiled(pattern)
        kind = Annotated[kind, Assertions({"pattern": pattern}, {})]
    if limits:
        kind = Annotated[kind, Field(**limits)]
    if schema["type"] == "array" and schema.get("uniqueItems"):
        kind = Annotated[kind, AfterValidator(all_different)]
    return kind
