"""Dataclasses as JSON by pydantic: for those that hold models or unions of several classes."""

from __future__ import annotations

import dataclasses
from typing import Any, NewType

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticSerializationError

from ferrogen.exceptions import SerializationError
from ferrogen.serialization.mentioned_types import is_validated
from ferrogen.serialization.model_codec import describe
from ferrogen.serialization.native import JsonWriter
from ferrogen.serialization.serializer import type_name
from ferrogen.serialization.simplify import simplify


class PydanticCodec:
    """Read and write one dataclass.

    Args:
        cls: The dataclass.
        check: Read back what was written, and refuse to write what would come back as another
            thing. JSON says nothing of the class it was: of two union members that look alike
            pydantic takes the first, and a message would change its type on the way.
    """

    def __init__(self, cls: type[Any], *, check: bool) -> None:
        self._name = type_name(cls)
        self._adapter = adapter_of(cls)
        self._writer = JsonWriter(self._name, simplify)
        self._check = check

    def encode(self, message: Any) -> bytes:
        """Write a message."""
        if not dataclasses.is_dataclass(type(message)):
            return self._writer.write_dataclass(message)  # which says what it is
        try:
            values = self._adapter.dump_python(message, mode="json", serialize_as_any=True)
        except (PydanticSerializationError, PydanticUserError, ValueError, TypeError) as error:
            raise SerializationError(f'cannot write "{self._name}" as JSON: {error}') from error
        payload = self._writer.write(values)
        if self._check:
            self._refuse_ambiguity(message, payload)
        return payload

    def decode(self, payload: bytes) -> Any:
        """Read a message."""
        try:
            return self._adapter.validate_json(payload)
        except ValidationError as error:
            raise SerializationError(
                f'cannot read "{self._name}" from JSON: {describe(error)}'
            ) from error
        except PydanticUserError as error:
            raise SerializationError(f'cannot read "{self._name}": {error}') from error

    def _refuse_ambiguity(self, message: Any, payload: bytes) -> None:
        copy = self.decode(payload)
        # Classes without equality, and NaN, still look alike.
        if copy != message and repr(copy) != repr(message):
            raise SerializationError(
                f'cannot write "{self._name}" as JSON: {message!r} would come back as {copy!r}; '
                "a Literal field in each member of a union distinguishes the members"
            )


def adapter_of(cls: type[Any]) -> TypeAdapter[Any]:
    """Make pydantic's reader and writer of a dataclass.

    Args:
        cls: The dataclass. One that pydantic made keeps to its own settings.

    Returns:
        The adapter. Bytes are base64, as msgspec has them: not all bytes are text.
    """
    if is_validated(cls):
        return TypeAdapter(cls)
    # Settings cannot be given for a dataclass, but for a type that stands for it.
    stand_in = NewType("stand_in", cls)  # type: ignore[valid-type, valid-newtype]
    return TypeAdapter(
        stand_in, config=ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
    )
