"""The JSON Schema of a protobuf message, by protobuf's own mapping to JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor

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
