"""Dataclasses as JSON. Which library reads and writes a class is settled at its first use."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from ferrogen._serialization.codec import Codec
from ferrogen._serialization.dataclass_codec import codec_for
from ferrogen._serialization.serializer import JSON_DATA_CONTENT_TYPE, type_name

DataclassT = TypeVar("DataclassT")


class DataclassJsonMessageSerializer(Generic[DataclassT]):
    """Write a dataclass as JSON, and read it back with every field checked.

    Fields may be nested dataclasses, pydantic models, unions and collections of them. The
    annotations are looked at on first use, so that registering many agents costs nothing.

    Args:
        cls: The dataclass.
    """

    def __init__(self, cls: type[DataclassT]) -> None:
        self.cls = cls
        self._codec: Codec | None = None

    @property
    def data_content_type(self) -> str:
        """The content type of JSON."""
        return JSON_DATA_CONTENT_TYPE

    @property
    def type_name(self) -> str:
        """The dataclass's bare name."""
        return type_name(self.cls)

    def deserialize(self, payload: bytes) -> DataclassT:
        """Read a dataclass.

        Args:
            payload: JSON text in UTF-8.

        Returns:
            The dataclass. Names in the JSON that are no fields are passed over.

        Raises:
            SerializationError: When the bytes are no JSON, do not fit the annotations, or the
                annotations cannot be read back at all.
        """
        message: Any = (self._codec or self.codec()).decode(payload)
        return message  # type: ignore[no-any-return]

    def serialize(self, message: DataclassT) -> bytes:
        """Write a dataclass.

        Args:
            message: The dataclass. An instance of a subclass is written with all its fields.

        Returns:
            JSON text, as ``json.dumps`` writes it.

        Raises:
            SerializationError: When a field holds what JSON cannot, or what could not be told
                apart again from another member of its union.
        """
        return (self._codec or self.codec()).encode(message)

    def codec(self) -> Codec:
        """Choose who reads and writes the class, or say who was chosen."""
        if self._codec is None:
            self._codec = codec_for(self.cls)
        return self._codec
