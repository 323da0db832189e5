"""Protobuf messages: bytes, envelopes and JSON Schemas. The library is imported when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ferrogen.exceptions import SerializationError
from ferrogen.serialization.native import EnvelopeCodec
from ferrogen.serialization.serializer import PROTOBUF_DATA_CONTENT_TYPE, Codec, type_name

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor
    from google.protobuf.message import Message


_NUMBER = {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}
_SHORT = {"type": "integer"}
_LONG = {"type": ["integer", "string"], "pattern": "^-?[0-9]+$"}

# By the number that descriptors give to C++ types of fields.
_SCALARS: dict[int, dict[str, Any]] = {
    1: _SHORT,  # int32
    2: _LONG,  # int64
    3: _SHORT,  # uint32
    4: _LONG,  # uint64
    5: _NUMBER,  # double
    6: _NUMBER,  # float
    7: {"type": "boolean"},
    9: {"type": "string"},
}
_ENUM = 8
_MESSAGE = 10
_BYTES = 12  # a type of the wire: in C++ bytes are a string

# Messages that the mapping gives a form of their own.
_WELL_KNOWN: dict[str, dict[str, Any]] = {
    "google.protobuf.Any": {"type": "object", "properties": {"@type": {"type": "string"}}},
    "google.protobuf.BoolValue": {"type": "boolean"},
    "google.protobuf.BytesValue": {"type": "string", "contentEncoding": "base64"},
    "google.protobuf.DoubleValue": _NUMBER,
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?s$"},
    "google.protobuf.FieldMask": {"type": "string"},
    "google.protobuf.FloatValue": _NUMBER,
    "google.protobuf.Int32Value": _SHORT,
    "google.protobuf.Int64Value": _LONG,
    "google.protobuf.ListValue": {"type": "array"},
    "google.protobuf.StringValue": {"type": "string"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.UInt32Value": _SHORT,
    "google.protobuf.UInt64Value": _LONG,
    "google.protobuf.Value": {},
}


def protobuf_schema(descriptor: Descriptor) -> dict[str, Any]:
    """Describe a protobuf message.

    Args:
        descriptor: Of the message.

    Returns:
        The schema, with every message that it holds among its definitions.
    """
    definitions: dict[str, dict[str, Any]] = {}
    reference = _message(descriptor, definitions)
    return {**reference, "$defs": definitions} if definitions else reference


def _message(descriptor: Descriptor, definitions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    name = descriptor.full_name
    if name in _WELL_KNOWN:
        return dict(_WELL_KNOWN[name])
    if name not in definitions:
        properties: dict[str, Any] = {}
        definitions[name] = {"title": name, "type": "object", "properties": properties}
        for field in descriptor.fields:
            properties[field.json_name] = _field(field, definitions)
    return {"$ref": f"#/$defs/{name}"}


def _field(field: FieldDescriptor, definitions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    message = field.message_type
    if message is not None and message.GetOptions().map_entry:
        value = message.fields_by_name["value"]
        return {"type": "object", "additionalProperties": _one(value, definitions)}
    one = _one(field, definitions)
    return {"type": "array", "items": one} if field.label == field.LABEL_REPEATED else one


def _one(field: FieldDescriptor, definitions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if field.cpp_type == _MESSAGE:
        return _message(field.message_type, definitions)
    if field.cpp_type == _ENUM:
        if field.enum_type.full_name == "google.protobuf.NullValue":
            return {"type": "null"}
        # A value that this program does not know yet is written as its number.
        names = [value.name for value in field.enum_type.values]
        return {"anyOf": [{"enum": names}, {"type": "integer"}]}
    if field.type == _BYTES:
        return {"type": "string", "contentEncoding": "base64"}
    return dict(_SCALARS[field.cpp_type])


def envelope_codec(cls: type[Message]) -> EnvelopeCodec:
    """Make the codec of a protobuf message.

    Args:
        cls: The message class.

    Returns:
        The native codec. It leaves to protobuf what is not exactly of the class, envelopes written
        in an unusual way, and errors.

    Raises:
        ImportError: When protobuf is not installed.
    """
    by_protobuf = _ByProtobuf(cls)
    type_url = f"type.googleapis.com/{type_name(cls)}"
    return EnvelopeCodec(cls, type_url, cls.FromString, by_protobuf.encode, by_protobuf.decode)


class _ByProtobuf:
    """Reads and writes any envelope for one message class."""

    def __init__(self, cls: type[Message]) -> None:
        from google.protobuf import any_pb2
        from google.protobuf.message import DecodeError, EncodeError

        self._cls = cls
        self._name = type_name(cls)
        self._any: Any = any_pb2.Any
        self._decode_error = DecodeError
        self._encode_error = EncodeError

    def encode(self, message: Message) -> bytes:
        """Write a message."""
        envelope = self._any()
        try:
            envelope.Pack(message)
        except self._encode_error as error:
            raise SerializationError(f'cannot write "{self._name}": {error}') from error
        payload: bytes = envelope.SerializeToString()
        return payload

    def decode(self, payload: bytes) -> Message:
        """Read a message."""
        envelope, message = self._any(), self._cls()
        try:
            envelope.ParseFromString(payload)
        except self._decode_error as error:
            raise self._refusal("the envelope", payload, error) from error
        try:
            fits = envelope.Unpack(message)
        except self._decode_error as error:
            raise self._refusal("the message in the envelope", envelope.value, error) from error
        if not fits:
            held = repr(envelope.type_url) if envelope.type_url else "nothing"
            raise SerializationError(
                f'cannot read "{self._name}": Failed to unpack payload into {self._cls}: '
                f"it holds {held}"
            )
        return message

    def _refusal(self, part: str, damaged: bytes, error: Exception) -> SerializationError:
        # protobuf does not report the position of the error.
        return SerializationError(
            f'cannot read "{self._name}": {part} of {len(damaged)} bytes is damaged: {error}'
        )


ProtobufT = TypeVar("ProtobufT", bound="Message")


class ProtobufMessageSerializer(Generic[ProtobufT]):
    """Write a protobuf message inside a ``google.protobuf.Any``, and read it back.

    Args:
        cls: The message class.

    Raises:
        ImportError: When protobuf is not installed.
    """

    def __init__(self, cls: type[ProtobufT]) -> None:
        self.cls = cls
        self._codec = envelope_codec(cls)

    @property
    def data_content_type(self) -> str:
        """The content type of protobuf."""
        return PROTOBUF_DATA_CONTENT_TYPE

    @property
    def type_name(self) -> str:
        """The full name from the message's descriptor."""
        return type_name(self.cls)

    def deserialize(self, payload: bytes) -> ProtobufT:
        """Read a message.

        Args:
            payload: A serialized ``google.protobuf.Any``.

        Returns:
            The message.

        Raises:
            SerializationError: When the bytes are damaged or hold another message type.
        """
        message: ProtobufT = self._codec.decode(payload)
        return message

    def serialize(self, message: ProtobufT) -> bytes:
        """Write a message.

        Args:
            message: The message.

        Returns:
            The bytes of a ``google.protobuf.Any`` that holds it.

        Raises:
            SerializationError: When a required field is missing.
        """
        return self._codec.encode(message)

    def codec(self) -> Codec:
        """Return the codec of the class."""
        return self._codec
