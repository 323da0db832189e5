"""Tools and tool choice in a request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from ferrogen.exceptions import ModelRequestError, ToolSchemaError
from ferrogen.models.anthropic.blocks import Block
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def tool_definition(tool: Tool | ToolSchema, strict_is_known: bool) -> Block:
    """Describe a tool to the API.

    Args:
        tool: The tool, or its schema.
        strict_is_known: Whether the model can be held to a schema; others refuse the word.

    Raises:
        ToolSchemaError: The API would refuse its name.
    """
    schema = tool.schema if isinstance(tool, Tool) else tool
    name = schema["name"]
    if not _NAME.fullmatch(name):
        raise ToolSchemaError(
            f"a tool cannot be called {name!r}: give it a name of at most 128 letters, digits, "
            "'_' and '-'"
        )
    parameters = {"type": "object", **schema.get("parameters", {"properties": {}})}
    definition: Block = {"name": name, "input_schema": parameters}
    if description := schema.get("description"):
        definition["description"] = description
    if strict_is_known and schema.get("strict"):
        definition["strict"] = True
    return definition


def used_tools(messages: Iterable[dict[str, Any]]) -> list[Block]:
    """Describe the tools that a conversation mentions, for the API wants each of them declared."""
    names = {
        block["name"]: None
        for message in messages
        for block in message["content"]
        if block["type"] == "tool_use"
    }
    return [{"name": name, "input_schema": {"type": "object"}} for name in names]


def choice_among(
    tool_choice: Tool | Literal["auto", "required", "none"], tools: Sequence[Block]
) -> dict[str, Any]:
    """Say which tools the model may call.

    Args:
        tool_choice: As `ChatCompletionClient.create` takes it.
        tools: What there is to choose from.

    Raises:
        ModelRequestError: The tool to be called is none of them, or it is no choice at all.
    """
    if isinstance(tool_choice, Tool):
        name = tool_choice.schema["name"]
        if all(tool.get("name") != name for tool in tools):
            raise ModelRequestError(
                f"tool_choice references {name!r}, which is not among the tools of the request"
            )
        return {"type": "tool", "name": name}
    if tool_choice not in {"auto", "required", "none"}:
        raise ModelRequestError(
            f"tool_choice must be a Tool, 'auto', 'required' or 'none', not {tool_choice!r}"
        )
    return {"type": {"required": "any"}.get(tool_choice, tool_choice)}
