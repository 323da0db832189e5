"""Tools and results of MCP servers, as those of a workbench."""

import json
from collections.abc import Mapping
from typing import Any

from ferrogen._image import Image
from ferrogen.tools.results import (
    ImageResultContent,
    ResultContent,
    TextResultContent,
    ToolResult,
    sendable,
)
from ferrogen.tools.schema import ParametersSchema, ToolSchema, inlined_definitions


def schema_of(tool: Mapping[str, Any]) -> ToolSchema:
    """Describe a tool.

    Args:
        tool: The tool, in the form of the wire.
    """
    given = tool.get("inputSchema") or {}
    inlined = inlined_definitions(dict(given)) if "$defs" in given else dict(given)
    parameters = ParametersSchema(
        type="object",
        properties=inlined.get("properties", {}),
        required=inlined.get("required", []),
        additionalProperties=inlined.get("additionalProperties", False),
    )
    return ToolSchema(
        name=tool["name"], description=tool.get("description") or "", parameters=parameters
    )


def result_of(name: str, result: Mapping[str, Any]) -> ToolResult:
    """Return the result of a call.

    Args:
        name: The tool, as it was called.
        result: The result, in the form of the wire.
    """
    parts = [_part(part) for part in result.get("content") or []]
    if not parts and result.get("structuredContent") is not None:
        parts = [_text(json.dumps(result["structuredContent"], ensure_ascii=False))]
    return ToolResult(name=name, result=parts, is_error=bool(result.get("isError")))


def _part(part: Mapping[str, Any]) -> ResultContent:
    kind = part.get("type")
    if kind == "text":
        return _text(part["text"])
    if kind == "image":
        return ImageResultContent(content=Image.from_base64(part["data"]))
    if kind == "resource" and isinstance(part["resource"].get("text"), str):
        return _text(part["resource"]["text"])
    if kind == "resource_link":
        return _text(f"{part.get('name') or 'resource'}: {part['uri']}")
    return _text(json.dumps(part, ensure_ascii=False))


def _text(text: str) -> TextResultContent:
    return TextResultContent(content=sendable(text))
