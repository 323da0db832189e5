"""Which Python type stands for which JSON type and format."""

from __future__ import annotations

import datetime
from importlib.util import find_spec
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, List  # noqa: UP035 - the types that upstream's models have
from uuid import UUID

from pydantic import UUID1, UUID3, UUID4, UUID5, AnyUrl, EmailStr, Field, Json, Strict

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
