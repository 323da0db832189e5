"""Conversion of values that the JSON writer does not know."""

from __future__ import annotations

from typing import Any

import msgspec

from ferrogen.serialization.custom_types import write_custom
from ferrogen.serialization.kinds import is_attrs
from ferrogen.serialization.structure import attrs_fields


def simplify(value: Any) -> Any:
    """Return a simpler form of a value, one level deep.

    Args:
        value: Neither a dataclass nor exactly one of Python's own kinds of JSON values, or a dict
            with such a key.

    Returns:
        For a subclass of those kinds, what ``json`` writes for it; for others, msgspec's form.

    Raises:
        TypeError: When there is none.
    """
    if isinstance(value, (str, int, float)):
        return write_custom(value)
    if isinstance(value, dict):
        return {_simple_key(key): item for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return list(value)
    if is_attrs(type(value)):  # of which msgspec leaves out the private fields
        return {name: getattr(value, name) for name in attrs_fields(type(value))}
    return msgspec.to_builtins(value, str_keys=True, enc_hook=write_custom)


def _simple_key(key: Any) -> Any:
    if key is None or isinstance(key, bool):
        return key
    if isinstance(key, (str, int, float)):
        return write_custom(key)
    [written] = msgspec.to_builtins({key: None}, str_keys=True, enc_hook=write_custom)
    return written
