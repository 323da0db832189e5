"""Pydantic models as JSON, by the models' own rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from ferrogen._serialization.codec import Codec
from ferrogen._serialization.model_codec import model_codec
from ferrogen._serialization.serializer import JSON_DATA_CONTENT_TYPE, type_name

if TYPE_CHECKING:
    from pydantic import BaseModel

PydanticT = TypeVar("PydanticT", bound="BaseModel")


class PydanticJsonMessageSerializer(Generic[PydanticT]):
    """Write a pydantic model as JSON, and read it back.

    Args:
        cls: The model class.
    """

    def __init__(self, cls: type[PydanticT]) -> None:
        self.cls = cls
        self._codec: Codec | None = None

    @property
    def data_content_type(self) -> str:
        """The content type of JSON."""
        return JSON_DATA_CONTENT_TYPE

    @property
    def type_name(self) -> str:
        """The model class's bare name."""
        return type_name(self.cls)

    def deserialize(self, payload: bytes) -> PydanticT:
        """Read a model.

        Args:
            payload: JSON text in UTF-8.

        Returns:
            The model.

        Raises:
            SerializationError: When the bytes are no JSON or do not fit the model.
        """
        message: PydanticT = (self._codec or self.codec()).decode(payload)
        return message

    def serialize(self, message: PydanticT) -> bytes:
        """Write a model.

        Args:
            message: The model.

        Returns:
            JSON text in UTF-8.

        Raises:
            SerializationError: When the model holds what JSON cannot.
        """
        return (self._codec or self.codec()).encode(message)

    def codec(self) -> Codec:
        """Choose who reads and writes the class, or say who was chosen."""
        if self._codec is None:
            self._codec = model_codec(self.cls)
        return self._codec
