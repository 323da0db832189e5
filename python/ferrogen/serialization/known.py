"""Find the serializer for a message class."""

from __future__ import annotations

import dataclasses
from typing import Any

from ferrogen.exceptions import SerializationError
from ferrogen.serialization.dataclass_json import DataclassJsonMessageSerializer
from ferrogen.serialization.kinds import (
    is_attrs,
    is_model,
    is_protobuf,
    is_struct,
    is_typed_dict,
)
from ferrogen.serialization.protobuf import ProtobufMessageSerializer
from ferrogen.serialization.pydantic_json import PydanticJsonMessageSerializer
from ferrogen.serialization.serializer import MessageSerializer
from ferrogen.serialization.structural_json import StructuralJsonMessageSerializer
from ferrogen.serialization.versioned import VersionedMessageSerializer
from ferrogen.serialization.versions import history_of


def try_get_known_serializers_for_type(cls: type[Any]) -> list[MessageSerializer[Any]]:
    """Make the serializers that Ferrogen has for a message class.

    Args:
        cls: A pydantic model, a dataclass, a protobuf message class, a ``msgspec.Struct``, a class
            made by attrs, or a ``TypedDict``.

    Returns:
        One serializer, or none for any other class. Registered, it serves MessagePack as well as
        its own content type, protobuf excepted.
    """
    serializer = _known_serializer(cls)
    if serializer is None:
        return []
    history = history_of(cls)
    return [serializer if history is None else VersionedMessageSerializer(serializer, history)]


def serializers_of_handled_type(cls: type[Any]) -> list[MessageSerializer[Any]]:
    """Make the serializers of a class whose messages a handler is to be chosen for.

    Args:
        cls: The annotation of the handler's message.

    Returns:
        As `try_get_known_serializers_for_type`.

    Raises:
        SerializationError: When no handler could ever be chosen.
    """
    if is_typed_dict(cls):
        raise SerializationError(
            f'no handler can be chosen for "{cls.__name__}": a message of a TypedDict is a plain '
            "dict, which does not say what it is; make it a dataclass, or send it inside one"
        )
    return try_get_known_serializers_for_type(cls)


def _known_serializer(cls: type[Any]) -> MessageSerializer[Any] | None:
    if is_model(cls):
        return PydanticJsonMessageSerializer(cls)
    if dataclasses.is_dataclass(cls):
        return DataclassJsonMessageSerializer(cls)
    if is_protobuf(cls):
        return ProtobufMessageSerializer(cls)
    if is_struct(cls) or is_attrs(cls) or is_typed_dict(cls):
        return StructuralJsonMessageSerializer(cls)
    return None
