"""Protobuf messages as bytes; protobuf itself is loaded when such a serializer is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from ferrogen.serialization.envelope_codec import envelope_codec
from ferrogen.serialization.serializer import PROTOBUF_DATA_CONTENT_TYPE, Codec, type_name

if TYPE_CHECKING:
    from google.protobuf.message import Message

ProtobufT = TypeVar("ProtobufT", bound="Message")


class ProtobufMessageSerializer(Generic[ProtobufT]):
    """Write a protobuf message inside a ``google.protobuf.Any``, and read it back.

    Args:
        cls: The message class.

    Raises:
        ImportError: When protobuf is not installed.
    """

    def __init__(self, cls: type[ProtobufT]) -> None:
        self.cls = cls
        self._codec = envelope_codec(cls)

    @property
    def data_content_type(self) -> str:
        """The content type of protobuf."""
        return PROTOBUF_DATA_CONTENT_TYPE

    @property
    def type_name(self) -> str:
        """The full name from the message's descriptor."""
        return type_name(self.cls)

    def deserialize(self, payload: bytes) -> ProtobufT:
        """Read a message.

        Args:
            payload: A serialized ``google.protobuf.Any``.

        Returns:
            The message.

        Raises:
            SerializationError: When the bytes are damaged or hold another message type.
        """
        message: ProtobufT = self._codec.decode(payload)
        return message

    def serialize(self, message: ProtobufT) -> bytes:
        """Write a message.

        Args:
            message: The message.

        Returns:
            The bytes of a ``google.protobuf.Any`` that holds it.

        Raises:
            SerializationError: When a required field is missing.
        """
        return self._codec.encode(message)

    def codec(self) -> Codec:
        """Return the codec of the class."""
        return self._codec
