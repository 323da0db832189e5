"""Protobuf messages as bytes; protobuf itself is loaded when such a serializer is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ferrogen._serialization.serializer import PROTOBUF_DATA_CONTENT_TYPE, type_name
from ferrogen.exceptions import SerializationError

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
        from google.protobuf import any_pb2
        from google.protobuf.message import DecodeError, EncodeError

        self.cls = cls
        self._any: Any = any_pb2.Any
        self._decode_error = DecodeError
        self._encode_error = EncodeError

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
        envelope = self._any()
        message: ProtobufT = self.cls()
        try:
            envelope.ParseFromString(payload)
            fits = envelope.Unpack(message)
        except self._decode_error as error:
            raise SerializationError(f'cannot read "{self.type_name}": {error}') from error
        if not fits:
            held = envelope.type_url or "nothing"
            raise SerializationError(f'Failed to unpack payload into {self.cls}: it holds "{held}"')
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
        envelope = self._any()
        try:
            envelope.Pack(message)
        except self._encode_error as error:
            raise SerializationError(f'cannot write "{self.type_name}": {error}') from error
        payload: bytes = envelope.SerializeToString()
        return payload
