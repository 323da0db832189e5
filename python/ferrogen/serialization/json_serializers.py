"""JSON serializers of dataclasses, pydantic models and structural classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from ferrogen.exceptions import SerializationError
from ferrogen.serialization.dataclass_codec import codec_for
from ferrogen.serialization.model_codec import model_codec
from ferrogen.serialization.serializer import JSON_DATA_CONTENT_TYPE, Codec, type_name
from ferrogen.serialization.structural_codec import StructuralCodec

if TYPE_CHECKING:
    from pydantic import BaseModel


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


DataclassT = TypeVar("DataclassT")


class DataclassJsonMessageSerializer(JsonMessageSerializer[DataclassT]):
    """Write a dataclass as JSON, as ``json.dumps`` does, and read it back with every field checked.

    Fields may be nested dataclasses, pydantic models, unions and collections of them. An instance
    of a subclass is written with all its fields; names in the JSON that are not fields are passed
    over.

    Args:
        cls: The dataclass.
    """

    def _choose_codec(self) -> Codec:
        return codec_for(self.cls)


PydanticT = TypeVar("PydanticT", bound="BaseModel")


class PydanticJsonMessageSerializer(JsonMessageSerializer[PydanticT]):
    """Write a pydantic model as JSON, and read it back.

    Args:
        cls: The model class.
    """

    def _choose_codec(self) -> Codec:
        return model_codec(self.cls)


class StructuralJsonMessageSerializer(JsonMessageSerializer[T]):
    """Write a struct, an attrs class or a typed dict as JSON, and read it back checked.

    Args:
        cls: The class.
    """

    def _choose_codec(self) -> StructuralCodec:
        try:
            return StructuralCodec(self.cls)
        except Exception as error:
            raise SerializationError(
                f'messages of "{type_name(self.cls)}" cannot be read: {error}'
            ) from error
