"""Dataclasses as JSON by msgspec, mended where JSON as Python writes it holds more."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import msgspec

from ferrogen._core import AgentId
from ferrogen._serialization.mentioned_types import may_hold_floats
from ferrogen._serialization.serializer import type_name
from ferrogen.exceptions import SerializationError


class MsgspecCodec:
    """Read and write one dataclass.

    Args:
        cls: The dataclass.

    Raises:
        TypeError: When msgspec cannot read the class.
        NameError: When an annotation names something that is not there.
    """

    def __init__(self, cls: type[Any]) -> None:
        self._cls = cls
        self._name = type_name(cls)
        self._decode = msgspec.json.Decoder(cls, dec_hook=_read_custom).decode
        self._own_init = has_own_init(cls)
        self._floats = may_hold_floats(cls)

    def encode(self, message: Any) -> bytes:
        """Write a message."""
        floats = self._floats or type(message) is not self._cls
        return write(message, self._name, floats=floats)

    def decode(self, payload: bytes) -> Any:
        """Read a message."""
        try:
            message = self._read(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise SerializationError(f'cannot read "{self._name}" from JSON: {error}') from error
        if not self._own_init:
            return message
        # msgspec fills the fields without calling __init__, which here does more than that.
        given = {f.name: getattr(message, f.name) for f in dataclasses.fields(message) if f.init}
        return self._cls(**given)

    def _read(self, payload: bytes) -> Any:
        try:
            return self._decode(payload)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            # Python's json writes NaN and Infinity, which are no JSON, and reads them again.
            if b"NaN" not in payload and b"Infinity" not in payload:
                raise
            try:
                values = json.loads(payload)
            except ValueError as error:
                raise msgspec.DecodeError(str(error)) from error
            return msgspec.convert(values, self._cls, str_keys=True, dec_hook=_read_custom)


def write(message: Any, name: str, *, floats: bool = True) -> bytes:
    """Write any message that msgspec knows.

    Args:
        message: The message.
        name: Its type name, for the error.
        floats: Whether it may hold floats, which costs a second look where something is null.

    Returns:
        JSON text in UTF-8.

    Raises:
        SerializationError: When the message holds what JSON cannot.
    """
    try:
        payload = _encode(message)
        if not floats or b"null" not in payload:
            return payload
        # msgspec writes NaN and the infinities as null; Python's json tells them from None.
        plain = msgspec.to_builtins(message, str_keys=True, enc_hook=_write_custom)
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise SerializationError(f'cannot write "{name}" as JSON: {error}') from error


def _read_custom(cls: type[Any], value: Any) -> Any:
    if cls is object:
        return value
    if cls is AgentId:
        return AgentId.from_str(value)
    return cls(value)


def _write_custom(value: Any) -> Any:
    if isinstance(value, AgentId):
        return str(value)
    # Subclasses of these, which msgspec takes for unknown.
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, bytes):
        return bytes(value)
    raise TypeError(f"objects of type {type(value).__name__} have no JSON form")


def has_own_init(cls: type[Any]) -> bool:
    """Tell whether the ``__init__`` of a dataclass was written by hand, not made by the decorator.

    Args:
        cls: The dataclass.

    Returns:
        True for one that was written, which may do more than fill the fields.
    """
    owner = next(base for base in cls.__mro__ if "__init__" in vars(base))
    params = vars(owner).get("__dataclass_params__")
    return params is None or not params.init


_encode = msgspec.json.Encoder(enc_hook=_write_custom).encode
