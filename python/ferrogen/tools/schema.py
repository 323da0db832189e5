"""Tool schemas: name, description and parameters for the model."""

import pickle
from collections.abc import Mapping, Sequence
from inspect import getattr_static
from typing import Any

from pydantic import BaseModel
from typing_extensions import NotRequired, TypedDict

from ferrogen.exceptions import ToolSchemaError

_REFERENCE = "#/$defs/"
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
    additionalProperties: NotRequired[bool]


class ToolSchema(TypedDict):
    """A tool as a model sees it.

    Example:
        ```python
        from ferrogen.tools import ToolSchema

        weather = ToolSchema(name="weather", description="Tells the weather of a city.")
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
    schema = model.model_json_schema()
    definitions: dict[str, Any] = schema.pop("$defs", {})
    inlined = _inline(schema, definitions, ())
    return ParametersSchema(
        type="object",
        properties=inlined["properties"],
        required=inlined.get("required", []),
        additionalProperties=inlined.get("additionalProperties", False),
    )


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


def _inline(schema: Any, definitions: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
    """Put definitions where they are referred to: many model services read no references."""
    if isinstance(schema, list):
        return [_inline(item, definitions, inside) for item in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return {key: _inline(value, definitions, inside) for key, value in schema.items()}
    name = reference.removeprefix(_REFERENCE)
    if name in inside:
        raise ToolSchemaError(
            f"the arguments contain {name}, which contains itself; a tool's schema is written"
            " without references, so give the tool a flat argument, such as a list"
        )
    # What stands beside the reference is dropped, as it is upstream.
    return _inline(definitions[name], definitions, (*inside, name))
