"""MessagePack serializers of messages that have JSON form."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from ferrogen.exceptions import SerializationError
from ferrogen.serialization.json_serializers import (
    DataclassJsonMessageSerializer,
    PydanticJsonMessageSerializer,
    StructuralJsonMessageSerializer,
)
from ferrogen.serialization.mentioned_types import is_validated, reads_every_type
from ferrogen.serialization.msgspec_codec import has_own_init
from ferrogen.serialization.serializer import (
    MSGPACK_DATA_CONTENT_TYPE,
    MessageSerializer,
)
from ferrogen.serialization.structural_codec import StructuralCodec
from ferrogen.serialization.versions import VersionedMessageSerializer

T = TypeVar("T")

_WITH_JSON = (
    DataclassJsonMessageSerializer,
    PydanticJsonMessageSerializer,
    StructuralJsonMessageSerializer,
)


class _Codec(Protocol):
    def to_messagepack(self, message: Any) -> bytes: ...

    def from_messagepack(self, payload: bytes) -> Any: ...


class MessagePackMessageSerializer(Generic[T]):
    """Write a message as MessagePack, and read it back, by the rules of its JSON.

    Args:
        beside: The serializer of the same class for JSON.
    """

    def __init__(self, beside: MessageSerializer[T]) -> None:
        self.cls: type[T] = beside.cls  # type: ignore[attr-defined]
        self._beside = beside
        self._codec: _Codec | None = None

    @property
    def data_content_type(self) -> str:
        """The content type of MessagePack."""
        return MSGPACK_DATA_CONTENT_TYPE

    @property
    def type_name(self) -> str:
        """The class's bare name."""
        return self._beside.type_name

    def deserialize(self, payload: bytes) -> T:
        """Read a message.

        Args:
            payload: MessagePack.

        Returns:
            The message.

        Raises:
            SerializationError: When the bytes are not valid MessagePack or do not fit the class.
        """
        message: T = (self._codec or self._choose_codec()).from_messagepack(payload)
        return message

    def serialize(self, message: T) -> bytes:
        """Write a message.

        Args:
            message: The message.

        Returns:
            MessagePack.

        Raises:
            SerializationError: When the message holds what neither JSON nor MessagePack can, such
                as an integer of more than 64 bits.
        """
        return (self._codec or self._choose_codec()).to_messagepack(message)

    def _choose_codec(self) -> _Codec:
        beside = self._beside
        shared = beside.codec() if isinstance(beside, StructuralJsonMessageSerializer) else None
        if isinstance(shared, StructuralCodec):
            self._codec = shared
        else:
            self._codec = _direct_codec(self.cls) or _Transcoded(beside)
        return self._codec


def messagepack_beside(serializer: MessageSerializer[Any]) -> MessageSerializer[Any] | None:
    """Make the serializer for MessagePack that belongs to one for JSON.

    Args:
        serializer: A serializer.

    Returns:
        Its companion, or None if the serializer is not one of Ferrogen's for JSON.
    """
    if type(serializer) is VersionedMessageSerializer:
        beside = messagepack_beside(serializer.inner)
        return None if beside is None else VersionedMessageSerializer(beside, serializer.history)
    # Exactly this class: the rules of a custom serializer are unknown here.
    return MessagePackMessageSerializer(serializer) if type(serializer) in _WITH_JSON else None


def _direct_codec(cls: type[Any]) -> StructuralCodec | None:
    """The codec of a dataclass for which msgspec needs no help."""
    if not dataclasses.is_dataclass(cls) or is_validated(cls) or has_own_init(cls):
        return None
    try:
        return StructuralCodec(cls) if reads_every_type(cls) else None
    except Exception:  # noqa: BLE001 - evaluating an annotation may raise anything; JSON says what
        return None


class _Transcoded:
    """Write and read the JSON of a serializer in the form of MessagePack."""

    def __init__(self, beside: MessageSerializer[Any]) -> None:
        self._beside = beside

    def to_messagepack(self, message: Any) -> bytes:
        values = _parsed(self._beside.serialize(message))
        try:
            return msgspec.msgpack.encode(values)
        except OverflowError as error:
            raise SerializationError(
                f'cannot write "{self._beside.type_name}" as MessagePack: {error}'
            ) from error

    def from_messagepack(self, payload: bytes) -> Any:
        try:
            values = msgspec.to_builtins(msgspec.msgpack.decode(payload), str_keys=True)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError) as error:
            raise SerializationError(
                f'cannot read "{self._beside.type_name}" from MessagePack: {error}'
            ) from error
        return self._beside.deserialize(_as_json(values))


# Of NaN and the infinities, which JSON does not have, only Python's slower json knows.


def _parsed(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except msgspec.DecodeError:
        return json.loads(payload)


def _as_json(values: Any) -> bytes:
    payload = msgspec.json.encode(values)
    return json.dumps(values).encode("utf-8") if b"null" in payload else payload
