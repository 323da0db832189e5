"""Tools and tool choice in a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ferrogen.exceptions import ModelInfoError, ModelRequestError
from ferrogen.models.client import ToolChoice
from ferrogen.models.model_info import ModelInfo
from ferrogen.models.providers._strict import strict_parameters
from ferrogen.models.providers._tool_calls import WireNames
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema


def schemas_of(tools: Iterable[Tool | ToolSchema], info: ModelInfo) -> list[ToolSchema]:
    """Return the schemas of tools.

    Raises:
        ModelInfoError: There are tools, and the model calls none.
    """
    schemas = [tool if isinstance(tool, dict) else tool.schema for tool in tools]
    if schemas and not info["function_calling"]:
        raise ModelInfoError(
            "Model does not support function calling; if it does, set function_calling in "
            "model_info, else pass no tools"
        )
    return schemas


def written_tools(schemas: Iterable[ToolSchema], names: WireNames) -> list[dict[str, Any]]:
    """Write tools for the API.

    Raises:
        ToolSchemaError: A strict tool has a parameter that the strict mode does not accept.
    """
    return [{"type": "function", "function": function(schema, names)} for schema in schemas]


def function(schema: ToolSchema, names: WireNames) -> dict[str, Any]:
    """Describe one function.

    Raises:
        ToolSchemaError: It is strict, and a parameter is not accepted by the strict mode.
    """
    strict = schema.get("strict", False)
    parameters: Mapping[str, Any] = schema.get("parameters", {})
    return {
        "name": names.wire(schema["name"]),
        "description": schema.get("description", ""),
        "parameters": strict_parameters(parameters, schema["name"]) if strict else parameters,
        "strict": strict,
    }


def chosen(choice: ToolChoice, schemas: list[ToolSchema]) -> str | Tool | None:
    """Return which tool the model has to call; ``None`` if there is nothing to choose from.

    Raises:
        ModelRequestError: It is not a choice, or a tool that is not among the tools.
    """
    if isinstance(choice, str):
        if choice not in ("auto", "required", "none"):
            raise ModelRequestError(
                f"tool_choice must be a Tool object, 'auto', 'required', or 'none', got {choice!r}"
            )
        return choice if schemas else None
    name = choice.schema["name"]
    if not schemas:
        raise ModelRequestError("tool_choice specified but no tools provided")
    if all(schema["name"] != name for schema in schemas):
        raise ModelRequestError(
            f"tool_choice references '{name}' but it's not in the provided tools"
        )
    return choice


def written_choice(
    choice: ToolChoice, schemas: list[ToolSchema], names: WireNames
) -> str | dict[str, Any] | None:
    """Write which tool the model has to call for the chat API.

    Raises:
        ModelRequestError: It is not a choice, or a tool that is not among the tools.
    """
    selected = chosen(choice, schemas)
    if selected is None or isinstance(selected, str):
        return selected
    return {"type": "function", "function": {"name": names.wire(selected.schema["name"])}}
