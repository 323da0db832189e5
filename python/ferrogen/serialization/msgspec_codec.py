"""The codec of dataclasses that msgspec reads, extended to the JSON that Python writes."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import msgspec

from ferrogen.exceptions import SerializationError
from ferrogen.serialization.custom_types import read_custom
from ferrogen.serialization.native import DataclassCodec
from ferrogen.serialization.serializer import type_name
from ferrogen.serialization.simplify import simplify


def msgspec_codec(cls: type[Any]) -> DataclassCodec:
    """Make the codec of a dataclass that msgspec can read.

    Args:
        cls: The dataclass.

    Returns:
        The codec.

    Raises:
        TypeError: When msgspec cannot read the class.
        NameError: When an annotation names something that is not there.
    """
    reader = _Reader(cls)
    return DataclassCodec(type_name(cls), simplify, reader.read, reader.recover)


class _Reader:
    """Reads one dataclass."""

    def __init__(self, cls: type[Any]) -> None:
        self._cls = cls
        self._decode = msgspec.json.Decoder(cls, dec_hook=read_custom).decode
        # msgspec fills the fields without calling __init__; one written by hand does more.
        self._own_init = has_own_init(cls)
        self.read = self._read_and_init if self._own_init else self._decode

    def recover(self, payload: bytes, error: Exception) -> Any:
        """Read bytes that msgspec could not read, or raise an error with the reason."""
        if not isinstance(error, (msgspec.DecodeError, UnicodeDecodeError, RecursionError)):
            raise error
        if isinstance(error, (msgspec.ValidationError, RecursionError)):
            raise self._refusal(error) from error
        # Python's json reads and writes NaN, Infinity and lone surrogates, which are invalid JSON.
        try:
            values = json.loads(bytes(payload).decode("utf-8"))
            message = msgspec.convert(values, self._cls, str_keys=True, dec_hook=read_custom)
        except (ValueError, RecursionError) as reason:
            raise self._refusal(reason) from error
        return self._init(message) if self._own_init else message

    def _read_and_init(self, payload: bytes) -> Any:
        return self._init(self._decode(payload))

    def _init(self, message: Any) -> Any:
        given = {f.name: getattr(message, f.name) for f in dataclasses.fields(message) if f.init}
        return self._cls(**given)

    def _refusal(self, reason: Exception) -> SerializationError:
        words = str(reason)
        if isinstance(reason, msgspec.ValidationError) and "`$" not in words:
            words += " - at `$`"  # msgspec names every path except the root
        return SerializationError(f'cannot read "{type_name(self._cls)}" from JSON: {words}')


def has_own_init(cls: type[Any]) -> bool:
    """Return whether the ``__init__`` of a dataclass was written by hand.

    Args:
        cls: The dataclass.

    Returns:
        True for a hand-written one, which can do more than set the fields.
    """
    owner = next(base for base in cls.__mro__ if "__init__" in vars(base))
    params = vars(owner).get("__dataclass_params__")
    return params is None or not params.init
