"""Which serializer writes and reads which message type, in one runtime."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from ferrogen._serialization.dataclass_json import DataclassJsonMessageSerializer
from ferrogen._serialization.messagepack import messagepack_beside
from ferrogen._serialization.serializer import MessageSerializer, UnknownPayload, type_name
from ferrogen._telemetry.loggers import ROOT_LOGGER_NAME
from ferrogen.exceptions import SerializationError

_logger = logging.getLogger(ROOT_LOGGER_NAME)


class SerializationRegistry:
    """Serializers by the type name and the content type of what they write.

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

    def __init__(self) -> None:
        self._serializers: dict[tuple[str, str], MessageSerializer[Any]] = {}

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
        key = (serializer.type_name, serializer.data_content_type)
        known = self._serializers.get(key)
        if known is not None:
            if _is_the_same(known, serializer):
                return  # the one at hand has read its class's annotations already
            before, after = _class_path(known), _class_path(serializer)
            if before and after and before != after:
                _logger.warning(
                    'two message classes are named "%s": %s takes the place of %s, '
                    "whose messages will be read as the former",
                    key[0],
                    after,
                    before,
                )
        self._serializers[key] = serializer
        self._add_messagepack(serializer)

    def _add_messagepack(self, serializer: MessageSerializer[Any]) -> None:
        beside = messagepack_beside(serializer)
        if beside is None:
            return
        key = (beside.type_name, beside.data_content_type)
        # Someone else's own serializer for MessagePack is left where it is.
        if key not in self._serializers or isinstance(self._serializers[key], type(beside)):
            self._serializers[key] = beside

    def deserialize(self, payload: bytes, *, type_name: str, data_content_type: str) -> Any:
        """Read a message.

        Args:
            payload: The bytes.
            type_name: The name under which the message travelled.
            data_content_type: The content type of the bytes.

        Returns:
            The message, or an `UnknownPayload` when no serializer is registered for it.

        Raises:
            SerializationError: When the bytes do not fit the message type.
        """
        serializer = self._serializers.get((type_name, data_content_type))
        if serializer is None:
            return UnknownPayload(type_name, data_content_type, payload)
        return serializer.deserialize(payload)

    def serialize(self, message: Any, *, type_name: str, data_content_type: str) -> bytes:
        """Write a message.

        Args:
            message: The message.
            type_name: The name under which it is to travel, see `type_name`.
            data_content_type: The content type that is wanted.

        Returns:
            The bytes.

        Raises:
            SerializationError: When no serializer is registered for this, or the message holds
                what the content type cannot.
        """
        serializer = self._serializers.get((type_name, data_content_type))
        if serializer is None:
            raise SerializationError(
                f"Unknown type {type_name} with content type {data_content_type}"
            )
        return serializer.serialize(message)

    def is_registered(self, type_name: str, data_content_type: str) -> bool:
        """Tell whether messages of this name can be written and read.

        Args:
            type_name: The name under which they travel.
            data_content_type: The content type.

        Returns:
            True when a serializer is registered.
        """
        return (type_name, data_content_type) in self._serializers

    def type_name(self, message: Any) -> str:
        """Name a message's type as it travels.

        Args:
            message: A message, or a message class.

        Returns:
            The name.
        """
        return type_name(message)


def _is_the_same(known: MessageSerializer[Any], other: MessageSerializer[Any]) -> bool:
    # Exactly ours: a serializer of someone else's may carry settings of its own.
    return (
        type(known) is DataclassJsonMessageSerializer
        and type(other) is DataclassJsonMessageSerializer
        and known.cls is other.cls
    )


def _class_path(serializer: MessageSerializer[Any]) -> str | None:
    """Name the message class in full; a class that was merely defined again has the same name."""
    cls = getattr(serializer, "cls", None)
    return f"{cls.__module__}.{cls.__qualname__}" if isinstance(cls, type) else None
