"""What a model is told of a tool: its name, its description and the schema of its arguments."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from typing_extensions import NotRequired, TypedDict

from ferrogen.exceptions import ToolSchemaError

_REFERENCE = "#/$defs/"


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
    schema = model.model_json_schema()
    definitions: dict[str, Any] = schema.pop("$defs", {})
    inlined = _inline(schema, definitions, ())
    parameters = ParametersSchema(
        type="object",
        properties=inlined["properties"],
        required=inlined.get("required", []),
        additionalProperties=inlined.get("additionalProperties", False),
    )
    if strict:
        _check_strict(parameters)
    return parameters


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
