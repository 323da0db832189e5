"""Protobuf messages inside a ``google.protobuf.Any``, by native code or by protobuf itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ferrogen.exceptions import SerializationError
from ferrogen.serialization.native import EnvelopeCodec
from ferrogen.serialization.serializer import type_name

if TYPE_CHECKING:
    from google.protobuf.message import Message


def envelope_codec(cls: type[Message]) -> EnvelopeCodec:
    """Make the codec of a protobuf message.

    Args:
        cls: The message class.

    Returns:
        The native codec. It leaves to protobuf what is not exactly of the class, envelopes written
        in an unusual way, and errors.

    Raises:
        ImportError: When protobuf is not installed.
    """
    by_protobuf = _ByProtobuf(cls)
    type_url = f"type.googleapis.com/{type_name(cls)}"
    return EnvelopeCodec(cls, type_url, cls.FromString, by_protobuf.encode, by_protobuf.decode)


class _ByProtobuf:
    """Reads and writes any envelope for one message class."""

    def __init__(self, cls: type[Message]) -> None:
        from google.protobuf import any_pb2
        from google.protobuf.message import DecodeError, EncodeError

        self._cls = cls
        self._name = type_name(cls)
        self._any: Any = any_pb2.Any
        self._decode_error = DecodeError
        self._encode_error = EncodeError

    def encode(self, message: Message) -> bytes:
        """Write a message."""
        envelope = self._any()
        try:
            envelope.Pack(message)
        except self._encode_error as error:
            raise SerializationError(f'cannot write "{self._name}": {error}') from error
        payload: bytes = envelope.SerializeToString()
        return payload

    def decode(self, payload: bytes) -> Message:
        """Read a message."""
        envelope, message = self._any(), self._cls()
        try:
            envelope.ParseFromString(payload)
        except self._decode_error as error:
            raise self._refusal("the envelope", payload, error) from error
        try:
            fits = envelope.Unpack(message)
        except self._decode_error as error:
            raise self._refusal("the message in the envelope", envelope.value, error) from error
        if not fits:
            held = repr(envelope.type_url) if envelope.type_url else "nothing"
            raise SerializationError(
                f'cannot read "{self._name}": Failed to unpack payload into {self._cls}: '
                f"it holds {held}"
            )
        return message

    def _refusal(self, part: str, damaged: bytes, error: Exception) -> SerializationError:
        # protobuf does not report the position of the error.
        return SerializationError(
            f'cannot read "{self._name}": {part} of {len(damaged)} bytes is damaged: {error}'
        )
