"""Which Python type stands for which JSON type and format."""

from __future__ import annotations

import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, List  # noqa: UP035 - the types that upstream's models have

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


FORMAT_MAPPING: dict[str, Any] = {
    # Dates and times
    "date": datetime.date,
    "date-time": datetime.datetime,
    "duration": datetime.timedelta,
    "time": datetime.time,
    # Names and addresses; the networks are single addresses, as upstream has them
    "email": EmailStr,
    "hostname": Annotated[str, Strict()],
    "ipv4": IPv4Address,
    "ipv4-network": IPv4Address,
    "ipv6": IPv6Address,
    "ipv6-network": IPv6Address,
    "uri": AnyUrl,
    # Identifiers; there is no type for version 2
    "uuid": UUID4,
    "uuid1": UUID1,
    "uuid2": UUID4,
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
