"""Structs of msgspec, attrs classes and typed dicts as JSON."""

from __future__ import annotations

from typing import TypeVar

from ferrogen.exceptions import SerializationError
from ferrogen.serialization.json_serializer import JsonMessageSerializer
from ferrogen.serialization.serializer import type_name
from ferrogen.serialization.structural_codec import StructuralCodec

T = TypeVar("T")


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
