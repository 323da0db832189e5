"""The JSON Schema of a message class."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec

from ferrogen._core import AgentId
from ferrogen.exceptions import SerializationError
from ferrogen.serialization.kinds import (
    is_attrs,
    is_model,
    is_protobuf,
    is_struct,
    is_typed_dict,
)
from ferrogen.serialization.mentioned_types import is_validated, reads_every_type
from ferrogen.serialization.serializer import type_name
from ferrogen.serialization.structure import mentioned_models, refuse_unknown
from ferrogen.serialization.versions import VERSION_FIELD, version_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# A subclass of one of these is written as it; bool is an int, and has no subclasses.
_SCALAR_SCHEMAS: tuple[tuple[type[Any], dict[str, Any]], ...] = (
    (str, {"type": "string"}),
    (int, {"type": "integer"}),
    (float, {"type": "number"}),
    (bytes, {"type": "string", "contentEncoding": "base64"}),
)


def message_schema(cls: type[Any]) -> dict[str, Any]:
    """Describe the JSON of a message class as JSON Schema.

    Args:
        cls: A class of any kind that `try_get_known_serializers_for_type` knows. A protobuf message
            is described by protobuf's own mapping to JSON.

    Returns:
        The schema, of the draft 2020-12. Every message of the class that Ferrogen writes keeps to
        it. In MessagePack, bytes stand where the schema speaks of base64.

    Raises:
        SerializationError: When the class is of no known kind, or cannot be described.

    Example:
        ```python
        from dataclasses import dataclass

        from ferrogen.serialization import message_schema


        @dataclass
        class Guest:
            name: str
            age: int | None = None


        schema = message_schema(Guest)
        assert schema["title"] == "Guest"
        assert schema["required"] == ["name"]
        ```
    """
    try:
        schema = _schema_of(cls)
    except Exception as error:
        raise SerializationError(f'"{type_name(cls)}" cannot be described: {error}') from error
    schema = {"$schema": DIALECT, **_at_the_root(schema)}
    version = version_of(cls)
    if version > 1:
        schema["properties"] = {VERSION_FIELD: {"const": version}, **schema.get("properties", {})}
        schema["required"] = [VERSION_FIELD, *schema.get("required", ())]
    return schema


def _schema_of(cls: type[Any]) -> dict[str, Any]:
    if is_protobuf(cls):
        from ferrogen.serialization.protobuf import protobuf_schema

        return protobuf_schema(cls.DESCRIPTOR)
    if is_model(cls):
        schema: dict[str, Any] = cls.model_json_schema()
        return schema
    if dataclasses.is_dataclass(cls):
        return _dataclass_schema(cls)
    if is_struct(cls) or is_attrs(cls) or is_typed_dict(cls):
        refuse_unknown(cls)
        return _structural_schema(cls)
    raise TypeError(f"{cls!r} is not a known message class")


def _dataclass_schema(cls: type[Any]) -> dict[str, Any]:
    if not is_validated(cls):
        try:
            if reads_every_type(cls):
                return _structural_schema(cls)
        except TypeError:
            pass  # a union that msgspec refuses and pydantic takes, as in the codec
    from ferrogen.serialization.pydantic_codec import adapter_of

    return adapter_of(cls).json_schema()


def _structural_schema(cls: type[Any]) -> dict[str, Any]:
    """Let msgspec describe a class, and pydantic the models in it."""
    models = mentioned_models(cls)
    if not models:
        return msgspec.json.schema(cls, schema_hook=_custom_schema)
    from pydantic.json_schema import models_json_schema

    # Under a name of their own: a class may be mentioned on both sides, and described differently.
    references, described = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/$defs/pydantic.{model}"
    )

    def describe(custom: type[Any]) -> dict[str, Any]:
        return references.get((custom, "validation")) or _custom_schema(custom)

    schema = msgspec.json.schema(cls, schema_hook=describe)
    definitions = {f"pydantic.{name}": part for name, part in described["$defs"].items()}
    return {**schema, "$defs": {**schema["$defs"], **definitions}}


def _custom_schema(cls: type[Any]) -> dict[str, Any]:
    if cls is object:
        return {"title": "anything"}  # to msgspec an empty schema is none
    if cls is AgentId:
        return {"type": "string", "pattern": "^[^/]+/"}
    for scalar, schema in _SCALAR_SCHEMAS:
        if issubclass(cls, scalar):
            return dict(schema)
    raise TypeError(f"no message can hold a {cls!r}")


def _at_the_root(schema: dict[str, Any]) -> dict[str, Any]:
    """Put the definition that a schema merely refers to where it can be read and added to."""
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    definitions = schema["$defs"]
    named = reference.removeprefix("#/$defs/")
    return {**definitions[named], "$defs": definitions}
