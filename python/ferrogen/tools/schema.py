"""Tool schemas: name, description and parameters for the model."""

import pickle
from collections.abc import Mapping, Sequence
from inspect import getattr_static
from typing import Any

from pydantic import BaseModel, create_model
from pydantic.errors import PydanticInvalidForJsonSchema
from typing_extensions import NotRequired, TypedDict

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


_DESCRIPTION = "__ferrogen_description__"


class ParametersSchema(TypedDict):
    """The arguments of a tool, as JSON Schema.

    Example:
        ```python
        from ferrogen.tools import ParametersSchema

        city = ParametersSchema(type="object", properties={"city": {"type": "string"}})
        assert "required" not in city
        ```
    """

    type: str
    properties: dict[str, Any]
    required: NotRequired[Sequence[str]]
    additionalProperties: NotRequired[bool | dict[str, Any]]


class ToolSchema(TypedDict):
    """A tool as a model sees it.

    Example:
        ```python
        from ferrogen.tools import ToolSchema

        weather = ToolSchema(name="weather", description="Look up the weather of a city.")
        assert "parameters" not in weather
        ```
    """

    parameters: NotRequired[ParametersSchema]
    name: str
    description: NotRequired[str]
    strict: NotRequired[bool]


class ToolOverride(BaseModel):
    """Another name or description for a tool, where a model would misread its own.

    Example:
        ```python
        from ferrogen.tools import ToolOverride

        clearer = ToolOverride(description="Adds two integers, and nothing else.")
        assert clearer.name is None
        ```
    """

    __module__ = "ferrogen.tools"

    name: str | None = None
    """None keeps the name."""

    description: str | None = None
    """None keeps the description."""


def parameters_of(model: type[BaseModel], strict: bool) -> ParametersSchema:
    """Describe the arguments that a model takes.

    Args:
        model: The model of the arguments.
        strict: Whether a model service will hold to the schema; then each argument is required
            and no other is allowed.

    Raises:
        ToolSchemaError: The arguments do not fit strict mode.
    """
    parameters = _described(model)
    if strict:
        _check_strict(parameters)
    return parameters


def _described(model: type[BaseModel]) -> ParametersSchema:
    """Describe a model, and remember the description: pydantic takes a millisecond for it.

    Tools are described to the model at every turn. Callers get a description of their own.
    """
    if getattr_static(model, "model_json_schema") is not vars(BaseModel)["model_json_schema"]:
        return _describe(model)
    # It stands at the model, so that both go together. The core schema is another one when
    # pydantic has built the model anew.
    core = model.__pydantic_core_schema__
    known: tuple[object, bytes] | None = vars(model).get(_DESCRIPTION)
    if known is None or known[0] is not core:
        known = (core, pickle.dumps(_describe(model)))
        setattr(model, _DESCRIPTION, known)
    parameters: ParametersSchema = pickle.loads(known[1])
    return parameters


def _describe(model: type[BaseModel]) -> ParametersSchema:
    try:
        schema = model.model_json_schema()
    except PydanticInvalidForJsonSchema as error:
        raise _fault(model, error) from error
    inlined = inlined_definitions(schema)
    if "properties" not in inlined:
        raise ToolSchemaError(
            f"the arguments are {model.__name__}, which has no fields, and models give every"
            " argument a name; take a model with fields"
        )
    additional = inlined.get("additionalProperties", False)
    return ParametersSchema(
        type="object",
        properties=inlined["properties"],
        required=inlined.get("required", []),
        # An empty schema allows anything.
        additionalProperties=True if additional == {} else additional,
    )


def _fault(model: type[BaseModel], error: Exception) -> ToolSchemaError:
    for name, field in model.model_fields.items():
        fields: dict[str, Any] = {name: (field.annotation, field)}
        single: type[BaseModel] = create_model("One", **fields)
        try:
            single.model_json_schema()
        except PydanticInvalidForJsonSchema as reason:
            called = field.alias or name
            return ToolSchemaError(f"argument {called!r} has no JSON Schema: {reason.message}")
    return ToolSchemaError(f"the arguments have no JSON Schema: {error}")


def _check_strict(parameters: ParametersSchema) -> None:
    if set(parameters["required"]) != set(parameters["properties"]):
        raise ToolSchemaError(
            "Strict mode is enabled, but not all input arguments are marked as required."
            " Default arguments are not allowed in strict mode."
        )
    if parameters["additionalProperties"]:
        raise ToolSchemaError(
            "Strict mode is enabled but additional argument is also enabled."
            " This is not allowed in strict mode."
        )
