"""The codec of a pydantic model: its own methods, or the native codec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from ferrogen.exceptions import SerializationError
from ferrogen.serialization.model_shape import model_shape
from ferrogen.serialization.native import ModelCodec
from ferrogen.serialization.serializer import Codec, type_name

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError


def model_codec(cls: type[BaseModel]) -> Codec:
    """Make the codec of a model.

    Args:
        cls: The model class.

    Returns:
        The native one, which asks what pydantic made for the class, unless the class has
        ``model_dump_json`` or ``model_validate_json`` of its own.
    """
    from pydantic import BaseModel

    own = _OwnMethods(cls)
    if (
        cls.model_dump_json is not BaseModel.model_dump_json
        or cls.model_validate_json.__func__ is not BaseModel.model_validate_json.__func__  # type: ignore[attr-defined]
    ):
        return own
    return ModelCodec(cls, model_shape, own.encode, own.refuse)


class _OwnMethods:
    """Reads and writes a model by its public methods."""

    def __init__(self, cls: type[BaseModel]) -> None:
        # A model class is there, so its library is loaded: importing it again for each message
        # would cost as much as the message.
        from pydantic import ValidationError
        from pydantic_core import PydanticSerializationError

        self._cls = cls
        self._read_error = ValidationError
        self._write_errors = (PydanticSerializationError, UnicodeEncodeError, RecursionError)

    def encode(self, message: Any) -> bytes:
        """Write a message of the class, or of one that extends it."""
        try:
            payload: bytes = message.model_dump_json().encode("utf-8")
        except Exception as error:  # noqa: BLE001 - classified there
            self.refuse(error, "write")
        return payload

    def decode(self, payload: bytes) -> Any:
        """Read a message."""
        try:
            return self._cls.model_validate_json(payload)
        except Exception as error:  # noqa: BLE001 - classified there
            self.refuse(error, "read")

    def refuse(self, error: Exception, doing: str) -> NoReturn:
        """Raise an error that names the message class and the fault."""
        if doing == "read" and isinstance(error, self._read_error):
            raise SerializationError(
                f'cannot read "{type_name(self._cls)}" from JSON: {describe(error)}'
            ) from error
        if doing == "read" and isinstance(error, RecursionError):
            raise SerializationError(
                f'cannot read "{type_name(self._cls)}" from JSON: {error}'
            ) from error
        if doing == "write" and isinstance(error, self._write_errors):
            raise SerializationError(
                f'cannot write "{type_name(self._cls)}" as JSON: {error}'
            ) from error
        raise error


def describe(error: ValidationError) -> str:
    """Put what pydantic found wrong, and where, into one line.

    Args:
        error: The error of pydantic.

    Returns:
        Each complaint with its path from the message's root, as ``$.cargo.0.weight``.
    """
    complaints = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        f"{found['msg']} - at `{'.'.join(['$', *map(str, found['loc'])])}`" for found in complaints
    )
