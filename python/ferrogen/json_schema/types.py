"""Which Python type stands for which JSON type and format."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from importlib.util import find_spec
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, List  # noqa: UP035 - the types that upstream's models have
from uuid import UUID

from pydantic import (
    UUID1,
    UUID3,
    UUID4,
    UUID5,
    AfterValidator,
    AnyUrl,
    EmailStr,
    Field,
    Json,
    Strict,
)

from ferrogen.json_schema.assertions import Assertions
from ferrogen.json_schema.choices import all_different
from ferrogen.json_schema.evaluation import compiled, pydantic_reads
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


TYPE_MAPPING: dict[str, Any] = {
    "array": List,  # noqa: UP006
    "boolean": bool,
    "integer": int,
    "null": type(None),
    "number": float,
    "object": dict,
    "string": str,
}

_STRICT_BYTES = Annotated[bytes, Strict()]


def _strict_integer(bits: int) -> Any:
    limit = 2 ** (bits - 1)
    return Annotated[int, Strict(), Field(ge=-limit, le=limit - 1)]


# pydantic checks addresses by a package that need not be installed.
_EMAIL: Any = EmailStr if find_spec("email_validator") else str

FORMAT_MAPPING: dict[str, Any] = {
    # Dates and times
    "date": datetime.date,
    "date-time": datetime.datetime,
    "duration": datetime.timedelta,
    "time": datetime.time,
    # Names and addresses; the networks are single addresses, as upstream has them
    "email": _EMAIL,
    "hostname": Annotated[str, Strict()],
    "ipv4": IPv4Address,
    "ipv4-network": IPv4Address,
    "ipv6": IPv6Address,
    "ipv6-network": IPv6Address,
    "uri": AnyUrl,
    # Identifiers; there is no type for version 2
    "uuid": UUID,
    "uuid1": UUID1,
    "uuid2": UUID,
    "uuid3": UUID3,
    "uuid4": UUID4,
    "uuid5": UUID5,
    # Numbers
    "decimal": float,
    "double": float,
    "float": Annotated[float, Strict()],
    "int32": _strict_integer(32),
    "int64": _strict_integer(64),
    # Text and bytes
    "binary": _STRICT_BYTES,
    "byte": _STRICT_BYTES,
    "json": Json,
    "password": str,
    "path": str,
}

_NUMBERS = frozenset(("decimal", "double", "float", "int32", "int64"))
_INTEGERS = frozenset(("int32", "int64"))


def type_of_format(name: Any, json_type: str) -> Any:
    """Return the Python type of a format for values of one JSON type, or None.

    A format that is not known, or is of another JSON type, is an annotation.
    """
    fits = {
        "string": name not in _NUMBERS,
        "number": name in _NUMBERS,
        "integer": name in _INTEGERS,
    }
    return FORMAT_MAPPING.get(name) if fits.get(json_type, False) else None
