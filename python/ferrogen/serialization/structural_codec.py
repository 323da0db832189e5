"""Classes that msgspec knows by their structure, as plain values, as JSON and as MessagePack.

Both content types carry the same plain values, those of JSON; only bytes stay bytes in MessagePack,
where JSON has base64. So one schema and the same upgrades serve both.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from ferrogen.exceptions import SerializationError
from ferrogen.serialization.custom_types import read_custom, write_custom
from ferrogen.serialization.native import JsonWriter
from ferrogen.serialization.serializer import type_name
from ferrogen.serialization.simplify import simplify
from ferrogen.serialization.structure import (
    hides_fields,
    is_plain,
    may_hold_floats,
    refuse_unknown,
)

_READ_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, SerializationError)
_WRITE_ERRORS = (TypeError, ValueError, OverflowError, RecursionError)


class StructuralCodec:
    """Read and write one class: a struct, an attrs class, a typed dict or a plain dataclass.

    Args:
        cls: The class.

    Raises:
        TypeError: When msgspec cannot read the class, or would lose part of it.
        NameError: When an annotation names something that is not there.
    """

    def __init__(self, cls: type[Any]) -> None:
        self._cls = cls
        self._name = type_name(cls)
        self._read_json = msgspec.json.Decoder(cls, dec_hook=read_custom).decode
        refuse_unknown(cls)
        self._hides_fields = hides_fields(cls)
        self._may_hold_floats = may_hold_floats(cls)
        self._write_all = JsonWriter(self._name, simplify).write
        self._read_messagepack = msgspec.msgpack.Decoder(cls, dec_hook=read_custom).decode
        self._is_plain = not self._hides_fields and is_plain(cls)

    def encode(self, message: Any) -> bytes:
        """Write a message as JSON, or raise `SerializationError`."""
        if self._hides_fields:
            return self._write_all(message)
        try:
            payload = _write_json(message)
            if not self._may_hold_floats or b"null" not in payload:
                return payload
            # msgspec writes NaN and the infinities as null, Python's json as numbers.
            values = self._plain(message, bytes_stay=False)
            return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        except _WRITE_ERRORS as error:
            raise SerializationError(f'cannot write "{self._name}" as JSON: {error}') from error

    def decode(self, payload: bytes) -> Any:
        """Read a message from JSON, or raise `SerializationError`."""
        try:
            return self._read_json(payload)
        except msgspec.ValidationError as error:
            raise self._refusal("JSON", error) from error
        except _READ_ERRORS as error:
            if b"NaN" not in payload and b"Infinity" not in payload:
                raise self._refusal("JSON", error) from error
        # What Python's json writes beyond JSON.
        try:
            return self._made(json.loads(payload))
        except (ValueError, RecursionError) as error:
            raise self._refusal("JSON", error) from error

    def to_messagepack(self, message: Any) -> bytes:
        """Write a message as MessagePack, or raise `SerializationError`."""
        try:
            if self._is_plain:
                return _write_messagepack(message)
            if self._hides_fields:
                return msgspec.msgpack.encode(json.loads(self._write_all(message)))
            return msgspec.msgpack.encode(self._plain(message, bytes_stay=True))
        except SerializationError:
            raise
        except _WRITE_ERRORS as error:
            raise SerializationError(
                f'cannot write "{self._name}" as MessagePack: {error}'
            ) from error

    def from_messagepack(self, payload: bytes) -> Any:
        """Read a message from MessagePack, or raise `SerializationError`."""
        try:
            return self._read_messagepack(payload)
        except _READ_ERRORS:
            pass  # it may hold text where msgspec, for MessagePack alone, wants something else
        try:
            return self._made(msgspec.msgpack.decode(payload))
        except _READ_ERRORS as error:
            raise self._refusal("MessagePack", error) from error

    def _plain(self, message: Any, *, bytes_stay: bool) -> Any:
        return msgspec.to_builtins(
            message,
            str_keys=True,
            builtin_types=(bytes,) if bytes_stay else None,
            enc_hook=write_custom,
        )

    def _made(self, values: Any) -> Any:
        return msgspec.convert(values, self._cls, str_keys=True, dec_hook=read_custom)

    def _refusal(self, form: str, error: Exception) -> SerializationError:
        return SerializationError(f'cannot read "{self._name}" from {form}: {error}')


_write_messagepack = msgspec.msgpack.Encoder(enc_hook=write_custom).encode
_write_json = msgspec.json.Encoder(enc_hook=write_custom).encode
