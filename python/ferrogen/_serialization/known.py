"""Find the serializer for a message class."""

from __future__ import annotations

import dataclasses
from typing import Any

from ferrogen._serialization.dataclass_json import DataclassJsonMessageSerializer
from ferrogen._serialization.kinds import is_model, is_protobuf
from ferrogen._serialization.protobuf import ProtobufMessageSerializer
from ferrogen._serialization.pydantic_json import PydanticJsonMessageSerializer
from ferrogen._serialization.serializer import MessageSerializer


def try_get_known_serializers_for_type(cls: type[Any]) -> list[MessageSerializer[Any]]:
    """Make the serializers that Ferrogen has for a message class.

    Args:
        cls: A pydantic model, a dataclass or a protobuf message class.

    Returns:
        One serializer, or none for any other class.
    """
    if is_model(cls):
        return [PydanticJsonMessageSerializer(cls)]
    if dataclasses.is_dataclass(cls):
        return [DataclassJsonMessageSerializer(cls)]
    if is_protobuf(cls):
        return [ProtobufMessageSerializer(cls)]
    return []
