"""The common part of the JSON serializers of all kinds of classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from ferrogen.serialization.serializer import JSON_DATA_CONTENT_TYPE, Codec, type_name

T = TypeVar("T")


class JsonMessageSerializer(ABC, Generic[T]):
    """Write the messages of one class as JSON, and read them back.

    The class is looked at on first use, so that registering many agents costs nothing.

    Args:
        cls: The class.
    """

    def __init__(self, cls: type[T]) -> None:
        self.cls = cls
        self._codec: Codec | None = None

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
            SerializationError: When the bytes are invalid JSON, do not fit the class, or the
                annotations of the class cannot be read.
        """
        message: T = (self._codec or self.codec()).decode(payload)
        return message

    def serialize(self, message: T) -> bytes:
        """Write a message.

        Args:
            message: The message.

        Returns:
            JSON text in UTF-8.

        Raises:
            SerializationError: When the message holds what JSON cannot, or what could not be read
                back as what it was.
        """
        return (self._codec or self.codec()).encode(message)

    def codec(self) -> Codec:
        """Return the codec of the class; choose it at first use."""
        if self._codec is None:
            self._codec = self._choose_codec()
        return self._codec

    @abstractmethod
    def _choose_codec(self) -> Codec: ...
