"""Definitions of a JSON Schema, written out where it refers to them.

Many model services do not read references.
"""

from collections.abc import Mapping
from typing import Any

from ferrogen.exceptions import ToolSchemaError

_REFERENCE = "#/$defs/"
# Keywords whose values map names to schemas, and keywords whose values are data.
_NAMED = frozenset(("properties", "patternProperties", "dependentSchemas"))
_DATA = frozenset(("const", "default", "enum", "examples", "required"))

Definitions = Mapping[str, Any]


def inlined_definitions(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Write out the references of a schema that pydantic created.

    Keywords beside a reference, such as a description or a default, override the definition.

    Raises:
        ToolSchemaError: A definition contains itself, or a reference leads nowhere.
    """
    rest = {key: value for key, value in schema.items() if key != "$defs"}
    inlined: dict[str, Any] = _inline(rest, schema.get("$defs", {}), ())
    return inlined


def _inline(schema: Any, definitions: Definitions, inside: tuple[str, ...]) -> Any:
    if isinstance(schema, list):
        return [_inline(item, definitions, inside) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inlined = {
        key: _inline_value(key, value, definitions, inside)
        for key, value in schema.items()
        if key != "$ref"
    }
    reference = schema.get("$ref")
    if reference is None:
        return inlined
    name = reference.removeprefix(_REFERENCE)
    if name in inside:
        raise ToolSchemaError(
            f"the arguments contain {name}, which contains itself; a tool's schema is written"
            " without references, so give the tool a flat argument, such as a list"
        )
    if name not in definitions:
        raise ToolSchemaError(
            f"the schema of the arguments refers to {reference!r}, which it does not define;"
            f" it defines {sorted(definitions)}"
        )
    return {**_inline(definitions[name], definitions, (*inside, name)), **inlined}


def _inline_value(key: str, value: Any, definitions: Definitions, inside: tuple[str, ...]) -> Any:
    if key in _DATA:
        return value
    if key in _NAMED and isinstance(value, dict):
        return {name: _inline(inner, definitions, inside) for name, inner in value.items()}
    if key == "discriminator" and isinstance(value, dict):
        # Its mapping leads to the definitions, which are not there any more.
        return {name: inner for name, inner in value.items() if name != "mapping"}
    return _inline(value, definitions, inside)
