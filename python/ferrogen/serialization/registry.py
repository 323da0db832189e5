"""Which serializer writes and reads which message type, in one runtime."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any, TypeAlias, TypeGuard

from ferrogen.exceptions import SerializationError
from ferrogen.serialization.json_serializers import (
    DataclassJsonMessageSerializer,
    JsonMessageSerializer,
    PydanticJsonMessageSerializer,
    StructuralJsonMessageSerializer,
)
from ferrogen.serialization.kinds import (
    is_attrs,
    is_model,
    is_protobuf,
    is_struct,
    is_typed_dict,
)
from ferrogen.serialization.messagepack import messagepack_beside
from ferrogen.serialization.native import SerializerTable
from ferrogen.serialization.protobuf import ProtobufMessageSerializer
from ferrogen.serialization.serializer import MessageSerializer, type_name
from ferrogen.serialization.versions import VersionedMessageSerializer, history_of
from ferrogen.telemetry.names import ROOT_LOGGER_NAME


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


_Ours: TypeAlias = JsonMessageSerializer[Any] | ProtobufMessageSerializer[Any]
_OURS = (
    DataclassJsonMessageSerializer,
    PydanticJsonMessageSerializer,
    StructuralJsonMessageSerializer,
    ProtobufMessageSerializer,
)

_logger = logging.getLogger(ROOT_LOGGER_NAME)


class SerializationRegistry(SerializerTable):
    """Serializers by the type name and the content type of what they write.

    How messages are written and read, and which of them it knows, the native table says.

    Example:
        ```python
        from dataclasses import dataclass

        from ferrogen import JSON_DATA_CONTENT_TYPE, try_get_known_serializers_for_type
        from ferrogen.serialization import SerializationRegistry


        @dataclass
        class Note:
            text: str


        registry = SerializationRegistry()
        registry.add_serializer(try_get_known_serializers_for_type(Note))
        how = {"type_name": "Note", "data_content_type": JSON_DATA_CONTENT_TYPE}
        payload = registry.serialize(Note("hello"), **how)
        assert registry.deserialize(payload, **how) == Note("hello")
        ```
    """

    def add_serializer(
        self, serializer: MessageSerializer[Any] | Sequence[MessageSerializer[Any]]
    ) -> None:
        """Add a serializer, or several. A later one takes the place of an earlier one.

        One of Ferrogen's for JSON brings one for MessagePack along.

        When the place belonged to another message class of the same name, a warning is logged:
        messages of the earlier class are read as the later one from then on.

        Args:
            serializer: The serializer or serializers.
        """
        if isinstance(serializer, Sequence):
            for each in serializer:
                self.add_serializer(each)
            return
        name, content_type = serializer.type_name, serializer.data_content_type
        known = self.find(name, content_type)
        if known is not None:
            if _is_the_same(known, serializer):
                return  # the one at hand has read its class's annotations already
            before, after = _class_path(known), _class_path(serializer)
            if before and after and before != after:
                _logger.warning(
                    'two message classes are named "%s": %s takes the place of %s, '
                    "whose messages will be read as the former",
                    name,
                    after,
                    before,
                )
        # Exactly ours: a subclass may write in a way of its own.
        choose_codec = serializer.codec if _is_ours(serializer) else None
        self.place(serializer, name, content_type, choose_codec)
        self._add_messagepack(serializer)

    def _add_messagepack(self, serializer: MessageSerializer[Any]) -> None:
        beside = messagepack_beside(serializer)
        if beside is None:
            return
        known = self.find(beside.type_name, beside.data_content_type)
        # Another package's serializer for MessagePack is kept.
        if known is None or isinstance(known, type(beside)):
            self.place(beside, beside.type_name, beside.data_content_type)

    def type_name(self, message: Any) -> str:
        """Name a message's type as it travels.

        Args:
            message: A message, or a message class.

        Returns:
            The name.
        """
        return type_name(message)


def _is_ours(serializer: MessageSerializer[Any]) -> TypeGuard[_Ours]:
    return type(serializer) in _OURS


def _is_the_same(known: MessageSerializer[Any], other: MessageSerializer[Any]) -> bool:
    # Exactly this class: a custom serializer can have settings of its own.
    return _is_ours(known) and _is_ours(other) and known.cls is other.cls


def _class_path(serializer: MessageSerializer[Any]) -> str | None:
    """Name the message class in full; a class that was merely defined again has the same name."""
    cls = getattr(serializer, "cls", None)
    return f"{cls.__module__}.{cls.__qualname__}" if isinstance(cls, type) else None
