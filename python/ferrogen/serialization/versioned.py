"""Serializers of messages with a version."""

from __future__ import annotations

import json
from typing import Any, Generic, TypeVar

import msgspec

from ferrogen.exceptions import SerializationError
from ferrogen.serialization.custom_types import write_custom
from ferrogen.serialization.serializer import JSON_DATA_CONTENT_TYPE, MessageSerializer
from ferrogen.serialization.versions import History

T = TypeVar("T")

VERSION_FIELD = "$version"
"""The field beside a message's own that holds its version."""

_FIELD_IN_JSON = f'"{VERSION_FIELD}"'.encode()


class VersionedMessageSerializer(Generic[T]):
    """Mark what another serializer writes with a version, and upgrade what it is to read.

    Args:
        inner: The serializer of the class, for JSON or MessagePack.
        history: The versions that the class declares.
    """

    def __init__(self, inner: MessageSerializer[T], history: History) -> None:
        self.cls: type[T] = inner.cls  # type: ignore[attr-defined]
        self.inner = inner
        self.history = history
        self._is_json = inner.data_content_type == JSON_DATA_CONTENT_TYPE
        # How JSON of the current version begins, if we wrote it: no need to take it apart then.
        self._beginning = f'{{"{VERSION_FIELD}": {history.current}, "'.encode()

    @property
    def data_content_type(self) -> str:
        """The content type of the bytes."""
        return self.inner.data_content_type

    @property
    def type_name(self) -> str:
        """The name under which the message type travels."""
        return self.inner.type_name

    def deserialize(self, payload: bytes) -> T:
        """Read a message of the current version or an earlier one.

        Args:
            payload: The bytes.

        Returns:
            The message, of the current version.

        Raises:
            MessageVersionError: When it is of a newer version, or of one that is too old.
            SerializationError: When the bytes do not fit.
        """
        if self._is_json and payload.startswith(self._beginning):
            return self.inner.deserialize(b'{"' + payload[len(self._beginning) :])
        values = self._load(payload)
        version = values.pop(VERSION_FIELD, 1)
        if version is True or version != self.history.current:
            values = self.history.upgrade(self._as_in_json(values), version)
        return self.inner.deserialize(self._dump(values, "read"))

    def serialize(self, message: T) -> bytes:
        """Write a message with its version.

        Args:
            message: The message.

        Returns:
            The bytes. Of version 1 they are those of a class that declares no version.

        Raises:
            SerializationError: When the message cannot be written, or has no room for a version
                because it is not an object with fields.
        """
        payload = self.inner.serialize(message)
        if self.history.current == 1:
            return payload
        if self._is_json and payload.startswith(b'{"') and _FIELD_IN_JSON not in payload:
            return self._beginning + payload[2:]
        values = self._load(payload)
        if VERSION_FIELD in values:
            raise SerializationError(
                f'cannot write "{self.type_name}": its field "{VERSION_FIELD}" is the one that '
                "holds the version"
            )
        return self._dump({VERSION_FIELD: self.history.current, **values}, "write")

    def _load(self, payload: bytes) -> dict[str, Any]:
        try:
            values = json.loads(payload) if self._is_json else msgspec.msgpack.decode(payload)
        except (ValueError, RecursionError) as error:
            form = "JSON" if self._is_json else "MessagePack"
            raise SerializationError(
                f'cannot read "{self.type_name}" from {form}: {error}'
            ) from error
        if not isinstance(values, dict):
            raise SerializationError(
                f'"{self.type_name}" has a version, which only objects with fields can carry'
            )
        return values

    def _as_in_json(self, values: dict[Any, Any]) -> dict[str, Any]:
        """Pass JSON values to upgrades, from any format of the message."""
        try:
            plain: dict[str, Any] = msgspec.to_builtins(values, str_keys=True)
        except TypeError as error:
            raise SerializationError(f'cannot read "{self.type_name}": {error}') from error
        return plain

    def _dump(self, values: dict[str, Any], act: str) -> bytes:
        try:
            # An upgrade may have made what JSON has no word for, such as a date.
            values = msgspec.to_builtins(
                values,
                str_keys=True,
                builtin_types=None if self._is_json else (bytes,),
                enc_hook=write_custom,
            )
            return json.dumps(values).encode() if self._is_json else msgspec.msgpack.encode(values)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise SerializationError(f'cannot {act} "{self.type_name}": {error}') from error
