"""The compiled part of the serializers: what of `ferrogen._core` writes and reads messages."""

from collections.abc import Callable
from typing import Any, NoReturn, final

from typing_extensions import Self, disjoint_base

from ferrogen.serialization.serializer import Codec, MessageSerializer

__all__ = ["DataclassCodec", "EnvelopeCodec", "JsonWriter", "ModelCodec", "SerializerTable"]

@final
class JsonWriter:
    """Writes values as JSON, letter for letter as ``json.dumps`` does by default.

    It goes by the values, not by annotations: dataclasses, dicts, lists, tuples, text, numbers,
    truth values and `None`, exactly of those classes, are written here.

    Args:
        type_name: The type name of the message, for errors.
        simplify: Turns any other value, or a dict with other keys, into one that is nearer to
            those, or raises.
    """

    def __new__(cls, type_name: str, simplify: Callable[[Any], object]) -> Self: ...
    def write(self, message: object) -> bytes:
        """Write a message.

        Raises:
            SerializationError: If it has no JSON form, or is nested more than 1,000 deep or deeper
                than the stack of the thread allows.
            Exception: Raised by an attribute of the message, if it is not a `TypeError`,
                `ValueError`, `OverflowError` or `RecursionError`.
        """

    def write_dataclass(self, message: object) -> bytes:
        """Write a dataclass, as `write` does; anything else is a `SerializationError`."""

@final
class DataclassCodec:
    """Writes one dataclass as `JsonWriter` does, and has it read.

    Args:
        type_name: The type name of the message, for errors.
        simplify: As for `JsonWriter`.
        read: Makes a message of its bytes.
        repair: Called with the bytes that `read` could not read, and its exception; returns the
            message, or raises.
    """

    def __new__(
        cls,
        type_name: str,
        simplify: Callable[[Any], object],
        read: Callable[[bytes], Any],
        repair: Callable[[bytes, Exception], Any],
    ) -> Self: ...
    def encode(self, message: object) -> bytes:
        """Write a message; raises what `JsonWriter.write_dataclass` does."""

    def decode(self, payload: bytes) -> Any:
        """Read a message; raises what `repair` does.

        That is given a `RecursionError` for bytes nested deeper than the thread's stack allows.
        """

@final
class ModelCodec:
    """Writes and reads one pydantic model as ``model_dump_json`` and ``model_validate_json`` do.

    A model whose JSON follows from its annotations is written here; others, and values that are not
    what is annotated, by what pydantic made for the class.

    Args:
        message_class: The model class.
        describe: Says how the class is written, see `model_shape`; None leaves it to pydantic.
        write: Writes an instance of another class.
        refuse: Is given an exception of pydantic's, and "read" or "write"; raises.
    """

    def __new__(
        cls,
        message_class: type[Any],
        describe: Callable[[type[Any]], tuple[Any, ...] | None],
        write: Callable[[Any], bytes],
        refuse: Callable[[Exception, str], NoReturn],
    ) -> Self: ...
    def encode(self, message: object) -> bytes:
        """Write a message; raises what `refuse` and `write` do."""

    def decode(self, payload: bytes) -> Any:
        """Read a message; raises what `refuse` does."""

@final
class EnvelopeCodec:
    """Writes and reads one protobuf message class, in a ``google.protobuf.Any``.

    Args:
        message_class: The message class.
        type_url: The type URL in the envelopes of its messages.
        read: Makes a message of its own bytes.
        write_any: Writes a message that is not exactly of the class, or says why it cannot.
        read_any: Reads an envelope that is not exactly as written here, or says why it cannot.
    """

    def __new__(
        cls,
        message_class: type[Any],
        type_url: str,
        read: Callable[[bytes], Any],
        write_any: Callable[[Any], bytes],
        read_any: Callable[[bytes], Any],
    ) -> Self: ...
    def encode(self, message: object) -> bytes:
        """Write a message; raises what `write_any` does."""

    def decode(self, payload: bytes) -> Any:
        """Read a message; raises what `read_any` does."""

@disjoint_base
class SerializerTable:
    """Serializers by the type name and the content type of what they write."""

    def __new__(cls) -> Self: ...
    def place(
        self,
        serializer: MessageSerializer[Any],
        type_name: str,
        data_content_type: str,
        choose_codec: Callable[[], Codec] | None = None,
    ) -> None:
        """Put a serializer in its place, or in that of another.

        Args:
            serializer: The serializer.
            type_name: The name under which its messages travel.
            data_content_type: The content type of their bytes.
            choose_codec: Says, when it is first needed, who does the serializer's work. A native
                codec is asked in its place from then on.
        """

    def find(self, type_name: str, data_content_type: str) -> MessageSerializer[Any] | None:
        """Find the serializer for a name and a content type."""

    def is_registered(self, type_name: str, data_content_type: str) -> bool:
        """Return whether messages of this name can be written and read."""

    def serialize(self, message: Any, *, type_name: str, data_content_type: str) -> bytes:
        """Write a message.

        Args:
            message: The message.
            type_name: The name under which it is to travel.
            data_content_type: The content type that is wanted.

        Raises:
            SerializationError: If no serializer is registered for this, or the message holds what
                the content type cannot.
        """

    def deserialize(self, payload: bytes, *, type_name: str, data_content_type: str) -> Any:
        """Read a message.

        Args:
            payload: The bytes.
            type_name: The name under which the message travelled.
            data_content_type: The content type of the bytes.

        Returns:
            The message, or an `UnknownPayload` if no serializer is registered for it.

        Raises:
            SerializationError: If the bytes do not fit the message type.
        """
