"""Dataclasses as JSON."""

from __future__ import annotations

from typing import TypeVar

from ferrogen.serialization.dataclass_codec import codec_for
from ferrogen.serialization.json_serializer import JsonMessageSerializer
from ferrogen.serialization.serializer import Codec

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
