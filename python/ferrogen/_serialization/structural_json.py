"""Structs of msgspec, attrs classes and typed dicts as JSON."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from ferrogen._serialization.serializer import JSON_DATA_CONTENT_TYPE, type_name
from ferrogen._serialization.structural_codec import StructuralCodec
from ferrogen.exceptions import SerializationError

T = TypeVar("T")


class StructuralJsonMessageSerializer(Generic[T]):
    """Write a struct, an attrs class or a typed dict as JSON, and read it back checked.

    The annotations are looked at on first use, so that registering many agents costs nothing.

    Args:
        cls: The class.
    """

    def __init__(self, cls: type[T]) -> None:
        self.cls = cls
        self._codec: StructuralCodec | None = None

    @property
    def data_content_type(self) -> str:
        """The content type of JSON."""
        return JSON_DATA_CONTENT_TYPE

    @property
    def type_name(self) -> str:
        """The class's bare name."""
        return type_name(self.cls)

    def deserialize(self, payload: bytes) -> T:
        """Read a message.

        Args:
            payload: JSON text in UTF-8.

        Returns:
            The message.

        Raises:
            SerializationError: When the bytes are no JSON, do not fit the annotations, or the
                annotations cannot be read back at all.
        """
        message: T = self.codec().from_json(payload)
        return message

    def serialize(self, message: T) -> bytes:
        """Write a message.

        Args:
            message: The message.

        Returns:
            JSON text in UTF-8.

        Raises:
            SerializationError: When a field holds what JSON cannot, or the annotations could not be
                read back.
        """
        return self.codec().to_json(message)

    def codec(self) -> StructuralCodec:
        """Make what reads and writes the class, once.

        Raises:
            SerializationError: When nothing can.
        """
        if self._codec is None:
            self._codec = structural_codec(self.cls)
        return self._codec


def structural_codec(cls: type[Any]) -> StructuralCodec:
    """Make the codec of a class.

    Args:
        cls: A struct, an attrs class or a typed dict.

    Returns:
        The codec.

    Raises:
        SerializationError: When its annotations cannot be followed, or not without loss.
    """
    try:
        return StructuralCodec(cls)
    except Exception as error:
        raise SerializationError(
            f'messages of "{type_name(cls)}" cannot be read: {error}'
        ) from error
