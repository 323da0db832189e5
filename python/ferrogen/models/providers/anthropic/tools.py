"""Tools and tool choice in a request."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

from ferrogen.exceptions import ModelRequestError
from ferrogen.messaging.function_call import FunctionCall
from ferrogen.models.client import ToolChoice
from ferrogen.models.providers._strict import strict_parameters
from ferrogen.models.providers._strict_modes import ANTHROPIC
from ferrogen.models.providers._tool_calls import WireNames
from ferrogen.models.providers.anthropic.blocks import Block
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema

CAPACITY = 1024
"""How many responses with calls are remembered."""


class OfferedTools:
    """Remembers the tools that the latest calls were chosen from.

    Args:
        capacity: How many responses with calls are remembered.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._tools: OrderedDict[tuple[str, ...], list[Block]] = OrderedDict()

    def remember(self, calls: Sequence[FunctionCall], tools: list[Block]) -> None:
        """Store the tools of the request whose response had these calls."""
        key = tuple(call.id for call in calls)
        self._tools[key] = tools
        self._tools.move_to_end(key)
        if len(self._tools) > self._capacity:
            self._tools.popitem(last=False)

    def of(self, calls: Sequence[FunctionCall]) -> list[Block]:
        """Return the tools of that request, as far as they are known."""
        return self._tools.get(tuple(call.id for call in calls), [])


LONGEST_NAME = 128
"""How many characters the name of a tool may have."""


def tool_definition(schema: ToolSchema, names: WireNames, strict_is_known: bool) -> Block:
    """Describe a tool to the API.

    Args:
        schema: The schema of the tool.
        names: The names that are sent.
        strict_is_known: Whether the model supports strict tools; others refuse the word.

    Raises:
        ToolSchemaError: It is strict, and a parameter is not accepted by the strict mode.
    """
    parameters = {"type": "object", **schema.get("parameters", {"properties": {}})}
    definition: Block = {"name": names.wire(schema["name"]), "input_schema": parameters}
    if description := schema.get("description"):
        definition["description"] = description
    if strict_is_known and schema.get("strict"):
        definition["input_schema"] = strict_parameters(parameters, schema["name"], ANTHROPIC)
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
    tool_choice: ToolChoice, tools: Sequence[Block], names: WireNames
) -> dict[str, Any]:
    """Return which tools the model may call.

    Args:
        tool_choice: As `ChatCompletionClient.create` takes it.
        tools: The tools of the request.
        names: The names that are sent.

    Raises:
        ModelRequestError: The tool to be called is none of them, or it is not a choice.
    """
    if isinstance(tool_choice, Tool):
        name = names.wire(tool_choice.schema["name"])
        if all(tool.get("name") != name for tool in tools):
            raise ModelRequestError(
                f"tool_choice references {tool_choice.schema['name']!r}, which is not among the "
                "tools of the request"
            )
        return {"type": "tool", "name": name}
    if tool_choice not in {"auto", "required", "none"}:
        raise ModelRequestError(
            f"tool_choice must be a Tool, 'auto', 'required' or 'none', not {tool_choice!r}"
        )
    return {"type": {"required": "any"}.get(tool_choice, tool_choice)}
