"""Types that msgspec does not know, and that messages may hold all the same."""

from __future__ import annotations

from typing import Any

import msgspec

from ferrogen._core import AgentId
from ferrogen.serialization.kinds import is_model
from ferrogen.serialization.mentioned_types import SCALARS


def read_custom(cls: type[Any], value: Any) -> Any:
    """Make a value of a type that msgspec does not know, as its ``dec_hook``.

    Args:
        cls: The type.
        value: The value in the message.

    Returns:
        The value.

    Raises:
        ValueError: When it does not fit the type.
    """
    if cls is object:
        return value
    if cls is AgentId:
        return AgentId.from_str(value)
    if is_model(cls):
        from ferrogen.serialization.json_serializers import PydanticJsonMessageSerializer

        return PydanticJsonMessageSerializer(cls).deserialize(msgspec.json.encode(value))
    return cls(value)


def write_custom(value: Any) -> Any:
    """Give a value that msgspec does not know a form that it does, as its ``enc_hook``.

    Args:
        value: The value.

    Returns:
        Its form.

    Raises:
        TypeError: When there is none.
    """
    if isinstance(value, AgentId):
        return str(value)
    # Subclasses, which msgspec takes for unknown. Not str(value): how one presents itself is not
    # what it holds.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, bytes):
        return b"".join((value,))
    if is_model(type(value)):
        return value.model_dump(mode="json")
    raise TypeError(f"objects of type {type(value).__name__} have no JSON form")


def is_known_custom(cls: Any) -> bool:
    """Return whether the hooks above serve a type.

    Args:
        cls: A part of an annotation, a class or not.

    Returns:
        True when they do.
    """
    if not isinstance(cls, type):
        return False
    return cls is object or cls is AgentId or is_model(cls) or issubclass(cls, SCALARS)
