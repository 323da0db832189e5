"""Versions of message classes, and the serializers that migrate messages of earlier ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from ferrogen.exceptions import MessageVersionError, SerializationError
from ferrogen.serialization.custom_types import write_custom
from ferrogen.serialization.kinds import is_protobuf
from ferrogen.serialization.serializer import JSON_DATA_CONTENT_TYPE, MessageSerializer, type_name

ClassT = TypeVar("ClassT", bound=type[Any])

Upgrade: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns the plain values of a message of one version into those of the next."""

_ATTRIBUTE = "__message_versions__"


@dataclass(frozen=True)
class History:
    """The versions of one message class that can be read.

    Args:
        name: The type name of the message, for errors.
        current: The version that is written.
        upgrades: The step from each earlier version to the next.
    """

    name: str
    current: int
    upgrades: Mapping[int, Upgrade]

    def upgrade(self, values: dict[str, Any], version: object) -> dict[str, Any]:
        """Bring the values of a message to the current version.

        Args:
            values: The plain values.
            version: Their version, as it stands in the message.

        Returns:
            The values of the current version.

        Raises:
            MessageVersionError: When the version is newer than this class, too old, or none.
            SerializationError: When a step fails.
        """
        if type(version) is not int or version < 1:
            raise MessageVersionError(
                f'cannot read "{self.name}": {version!r} is not a version of a message'
            )
        if version > self.current:
            raise MessageVersionError(
                f'cannot read "{self.name}" of version {version}: this program knows it up to '
                f"version {self.current}, so the sender is newer"
            )
        for step in range(version, self.current):
            if step not in self.upgrades:
                raise MessageVersionError(
                    f'cannot read "{self.name}" of version {version}: there is no upgrade from '
                    f"version {step}"
                )
            values = self._take(step, values)
        return values

    def _take(self, step: int, values: dict[str, Any]) -> dict[str, Any]:
        try:
            made = self.upgrades[step](values)
        except Exception as error:
            raise SerializationError(
                f'cannot read "{self.name}": its upgrade from version {step} failed: {error!r}'
            ) from error
        if not isinstance(made, dict):
            raise SerializationError(
                f'cannot read "{self.name}": its upgrade from version {step} must return a dict, '
                f"not {made!r}"
            )
        return made


def message_version(
    version: int, *, upgrades: Mapping[int, Upgrade] | None = None
) -> Callable[[ClassT], ClassT]:
    """Declare the version of a message class.

    Messages of the class carry its version from then on, in a field ``$version`` beside the others;
    those of version 1 carry none, and what carries none is of version 1. So a class may be declared
    when its second version is due.

    Args:
        version: The version of the class as it stands, 1 or more.
        upgrades: For each earlier version that can still be read, a function that makes the plain
            values of the next version from its own. It may change and return the dict it is given.

    Returns:
        The class decorator. It stands above the one that makes the class a message.

    Raises:
        MessageVersionError: When the versions are none, or the upgrades have a gap.
        TypeError: When the class is a protobuf message, which keeps its fields apart by numbers.

    Example:
        ```python
        from dataclasses import dataclass
        from typing import Any

        from ferrogen import try_get_known_serializers_for_type
        from ferrogen.serialization import message_version


        def split_name(values: dict[str, Any]) -> dict[str, Any]:
            first, _, last = values.pop("name").partition(" ")
            return {**values, "first": first, "last": last}


        @message_version(2, upgrades={1: split_name})
        @dataclass
        class Guest:
            first: str
            last: str


        [serializer] = try_get_known_serializers_for_type(Guest)
        assert serializer.deserialize(b'{"name": "Ada Lovelace"}') == Guest("Ada", "Lovelace")
        ```
    """
    steps = dict(upgrades or {})
    if type(version) is not int or version < 1:
        raise MessageVersionError(f"a message version is a whole number from 1 on, not {version!r}")
    if steps and sorted(steps) != list(range(min(steps), version)):
        raise MessageVersionError(
            f"upgrades to version {version} must start from each version before it without a gap, "
            f"not from {sorted(steps)}"
        )
    if steps and min(steps) < 1:
        raise MessageVersionError("the first version of a message is 1")

    def declare(cls: ClassT) -> ClassT:
        if is_protobuf(cls):
            raise TypeError(
                f'"{type_name(cls)}" is a protobuf message: its field numbers are its versions'
            )
        setattr(cls, _ATTRIBUTE, History(type_name(cls), version, steps))
        return cls

    return declare


def history_of(cls: type[Any]) -> History | None:
    """Look up what a class declares.

    Args:
        cls: A message class.

    Returns:
        Its versions, or None. A subclass is another message, and declares its own.
    """
    history: History | None = vars(cls).get(_ATTRIBUTE)
    return history


def version_of(cls: type[Any]) -> int:
    """Look up the version of a message class.

    Args:
        cls: A message class.

    Returns:
        The version, 1 if the class declares none.
    """
    history = history_of(cls)
    return 1 if history is None else history.current


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
