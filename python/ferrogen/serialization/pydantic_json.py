"""Pydantic models as JSON, by the models' own rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ferrogen.serialization.json_serializer import JsonMessageSerializer
from ferrogen.serialization.model_codec import model_codec
from ferrogen.serialization.serializer import Codec

if TYPE_CHECKING:
    from pydantic import BaseModel

PydanticT = TypeVar("PydanticT", bound="BaseModel")


class PydanticJsonMessageSerializer(JsonMessageSerializer[PydanticT]):
    """Write a pydantic model as JSON, and read it back.

    Args:
        cls: The model class.
    """

    def _choose_codec(self) -> Codec:
        return model_codec(self.cls)
