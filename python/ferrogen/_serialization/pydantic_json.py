"""Pydantic models as JSON, by the models' own rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from ferrogen._serialization.serializer import JSON_DATA_CONTENT_TYPE, type_name
from ferrogen.exceptions import SerializationError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

PydanticT = TypeVar("PydanticT", bound="BaseModel")


class PydanticJsonMessageSerializer(Generic[PydanticT]):
    """Write a pydantic model as JSON, and read it back.

    Args:
        cls: The model class.
    """

    def __init__(self, cls: type[PydanticT]) -> None:
        # A model class is there, so its library is loaded: importing it again for each message
        # would cost as much as the message.
        from pydantic import ValidationError
        from pydantic_core import PydanticSerializationError

        self.cls = cls
        self._read_error = ValidationError
        self._write_errors = (PydanticSerializationError, UnicodeEncodeError)

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
        try:
            return self.cls.model_validate_json(payload)
        except self._read_error as error:
            raise SerializationError(
                f'cannot read "{self.type_name}" from JSON: {describe(error)}'
            ) from error

    def serialize(self, message: PydanticT) -> bytes:
        """Write a model.

        Args:
            message: The model.

        Returns:
            JSON text in UTF-8.

        Raises:
            SerializationError: When the model holds what JSON cannot.
        """
        try:
            return message.model_dump_json().encode("utf-8")
        except self._write_errors as error:
            raise SerializationError(f'cannot write "{self.type_name}" as JSON: {error}') from error


def describe(error: ValidationError) -> str:
    """Put what pydantic found wrong, and where, into one line.

    Args:
        error: What pydantic raised.

    Returns:
        Each complaint with its path from the message's root, as ``$.cargo.0.weight``.
    """
    complaints = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        f"{found['msg']} - at `{'.'.join(['$', *map(str, found['loc'])])}`" for found in complaints
    )
