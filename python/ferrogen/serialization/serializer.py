"""The protocols of serializers and of their codecs, type names, and unknown payloads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from ferrogen.serialization.kinds import is_protobuf

T = TypeVar("T")

JSON_DATA_CONTENT_TYPE = "application/json"
"""The content type of messages written as JSON."""

MSGPACK_DATA_CONTENT_TYPE = "application/msgpack"
"""The content type of messages written as MessagePack."""

PROTOBUF_DATA_CONTENT_TYPE = "application/x-protobuf"
"""The content type of messages written as protobuf, inside a ``google.protobuf.Any``."""


class MessageSerializer(Protocol[T]):
    """Turns messages of one type into bytes of one content type, and back.

    Example:
        ```python
        from ferrogen import JSON_DATA_CONTENT_TYPE, SingleThreadedAgentRuntime


        class Celsius:
            def __init__(self, degrees: float) -> None:
                self.degrees = degrees


        class CelsiusSerializer:
            data_content_type = JSON_DATA_CONTENT_TYPE
            type_name = "Celsius"

            def serialize(self, message: Celsius) -> bytes:
                return str(message.degrees).encode()

            def deserialize(self, payload: bytes) -> Celsius:
                return Celsius(float(payload))


        SingleThreadedAgentRuntime().add_message_serializer(CelsiusSerializer())
        ```
    """

    @property
    def data_content_type(self) -> str:
        """The content type of the bytes."""
        ...

    @property
    def type_name(self) -> str:
        """The name under which the message type travels."""
        ...

    def deserialize(self, payload: bytes) -> T:
        """Read a message.

        Args:
            payload: The bytes, as `serialize` wrote them.

        Returns:
            The message.
        """
        ...

    def serialize(self, message: T) -> bytes:
        """Write a message.

        Args:
            message: The message.

        Returns:
            The bytes.
        """
        ...


@dataclass
class UnknownPayload:
    """A message that no registered serializer can read, kept as it came.

    Args:
        type_name: The name under which it travelled.
        data_content_type: The content type of its bytes.
        payload: The bytes.

    Example:
        ```python
        from ferrogen import UnknownPayload

        print(UnknownPayload("Greeting", "application/json", b'{"text":"hello"}').type_name)
        ```
    """

    __module__ = "ferrogen"  # the public path is what pickles store

    type_name: str
    data_content_type: str
    payload: bytes


def type_name(message_or_class: Any) -> str:
    """Name a message type as it travels.

    Args:
        message_or_class: A message, or its class.

    Returns:
        The class's bare name; for protobuf messages the full name from the descriptor.
    """
    cls = message_or_class if isinstance(message_or_class, type) else type(message_or_class)
    # Messages of protobuf have this attribute, which is found faster than a base class.
    if hasattr(cls, "DESCRIPTOR") and is_protobuf(cls):
        return cast(str, cls.DESCRIPTOR.full_name)
    return cls.__name__


class Codec(Protocol):
    """Reads and writes one message class."""

    def encode(self, message: Any) -> bytes:
        """Write a message, or raise `SerializationError`."""
        ...

    def decode(self, payload: bytes) -> Any:
        """Read a message, or raise `SerializationError`."""
        ...
