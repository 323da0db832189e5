"""The codec of a dataclass: msgspec if it supports the class, else pydantic.

msgspec is several times faster, but knows neither pydantic models nor unions of several classes.
"""

from __future__ import annotations

from typing import Any

from ferrogen.exceptions import SerializationError
from ferrogen.serialization.mentioned_types import is_validated, reads_every_type
from ferrogen.serialization.msgspec_codec import msgspec_codec
from ferrogen.serialization.native import JsonWriter
from ferrogen.serialization.serializer import Codec, type_name
from ferrogen.serialization.simplify import simplify
from ferrogen.serialization.structure import mentions_attrs


def codec_for(cls: type[Any]) -> Codec:
    """Choose the codec of a dataclass. Never fails: using a class that cannot be read is an error.

    Args:
        cls: The dataclass.

    Returns:
        The fastest codec whose output it can read back unchanged.
    """
    if is_validated(cls):
        return _pydantic_codec(cls, check=False)
    try:
        codec = msgspec_codec(cls)
        fits = reads_every_type(cls)
    except TypeError:
        # A union whose members JSON cannot distinguish, or an annotation unknown to msgspec.
        return _pydantic_codec(cls, check=True)
    except Exception as error:  # noqa: BLE001 - evaluating an annotation may raise anything
        return UnreadableCodec(cls, error)
    if fits:
        return codec
    chosen = _pydantic_codec(cls, check=False)
    if isinstance(chosen, UnreadableCodec) and mentions_attrs(cls):
        return codec  # pydantic knows no attrs classes; msgspec does, and models by our hooks
    return chosen


def _pydantic_codec(cls: type[Any], *, check: bool) -> Codec:
    from pydantic.errors import PydanticUserError

    from ferrogen.serialization.pydantic_codec import PydanticCodec

    try:
        return PydanticCodec(cls, check=check)
    except (PydanticUserError, NameError, TypeError) as error:
        return UnreadableCodec(cls, error)


class UnreadableCodec:
    """Write a dataclass whose annotations cannot be understood; refuse to read it, saying why."""

    def __init__(self, cls: type[Any], reason: Exception) -> None:
        self._name = type_name(cls)
        self._reason = reason
        self._write = JsonWriter(self._name, simplify).write_dataclass

    def encode(self, message: Any) -> bytes:
        """Write what the message holds, which needs no annotations."""
        return self._write(message)

    def decode(self, payload: bytes) -> Any:
        """Refuse."""
        reason = str(self._reason).partition(". ")[0]  # pydantic goes on about its own settings
        raise SerializationError(
            f'cannot read "{self._name}": its annotations cannot be followed: {reason}'
        ) from self._reason
