"""JSON form of a request, for cache keys and cassettes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from pydantic_core import PydanticSerializationError, to_jsonable_python

from ferrogen.exceptions import SerializationError
from ferrogen.models.middleware.request import Request
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema


def written(request: Request) -> dict[str, Any]:
    """Write a request as JSON values, without the defaults.

    Whether it is streamed is left out too: it does not change the response.

    Raises:
        SerializationError: An extra argument cannot be written as JSON.
    """
    form: dict[str, Any] = {
        "messages": [message.model_dump(mode="json") for message in request.messages]
    }
    if request.tools:
        form["tools"] = [_tool(tool) for tool in request.tools]
    if request.tool_choice != "auto":
        form["tool_choice"] = _choice(request.tool_choice)
    if isinstance(request.json_output, type):
        form["json_output"] = request.json_output.model_json_schema()
    elif request.json_output is not None:
        form["json_output"] = request.json_output
    if request.extra_create_args:
        form["extra_create_args"] = {
            name: _argument(name, value) for name, value in request.extra_create_args.items()
        }
    return form


def fingerprint(form: Mapping[str, Any]) -> str:
    """Give a text that is the same for equal forms, and for no others."""
    text = json.dumps(form, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _tool(tool: Tool | ToolSchema) -> Any:
    return to_jsonable_python(tool.schema if isinstance(tool, Tool) else tool)


def _choice(choice: Tool | str) -> Any:
    return {"tool": choice.name} if isinstance(choice, Tool) else choice


def _argument(name: str, value: Any) -> Any:
    try:
        return to_jsonable_python(value)
    except PydanticSerializationError as error:
        raise SerializationError(
            f"the extra argument {name!r} cannot be written as JSON, so the request can neither "
            f"be cached nor recorded: {error}"
        ) from error
