"""Tools and tool choice in a request."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

from ferrogen.exceptions import ModelRequestError, ToolSchemaError
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def written_tools(tools: Iterable[Tool | ToolSchema]) -> list[dict[str, Any]]:
    """Write tools for the API.

    Raises:
        ToolSchemaError: A name has signs that no service takes.
    """
    return [_tool(tool if isinstance(tool, dict) else tool.schema) for tool in tools]


def written_choice(
    choice: Tool | Literal["auto", "required", "none"], tools: list[dict[str, Any]]
) -> str | dict[str, Any] | None:
    """Write which tool the model has to call; None if there is nothing to choose from.

    Raises:
        ModelRequestError: It is no choice, or a tool that is not among the tools.
    """
    if isinstance(choice, str):
        if choice not in ("auto", "required", "none"):
            raise ModelRequestError(
                f"tool_choice must be a Tool object, 'auto', 'required', or 'none', got {choice!r}"
            )
        return choice if tools else None
    name = choice.schema["name"]
    if not tools:
        raise ModelRequestError("tool_choice specified but no tools provided")
    if all(tool["function"]["name"] != name for tool in tools):
        raise ModelRequestError(
            f"tool_choice references '{name}' but it's not in the provided tools"
        )
    return {"type": "function", "function": {"name": name}}


def _tool(schema: ToolSchema) -> dict[str, Any]:
    if not _NAME.fullmatch(schema["name"]):
        raise ToolSchemaError(
            f"Invalid name: {schema['name']!r}. A tool's name has at most 64 letters, digits, "
            "'_' and '-'"
        )
    function = {
        "name": schema["name"],
        "description": schema.get("description", ""),
        "parameters": schema.get("parameters", {}),
        "strict": schema.get("strict", False),
    }
    return {"type": "function", "function": function}
