"""Structured output: response formats from classes and JSON Schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from ferrogen.exceptions import ModelInfoError, ModelRequestError
from ferrogen.models.model_info import ModelInfo
from ferrogen.models.openai.tool_calls import plain_name

_UNKNOWN_TO_STRICT = ("default", "title")


def response_format(
    json_output: bool | type[BaseModel] | Mapping[str, Any] | None, info: ModelInfo
) -> dict[str, Any] | None:
    """Make the response format that a request asks for; None if it leaves that open.

    Args:
        json_output: A class or a JSON Schema that the answer has to fit, ``True`` for JSON of
            whatever shape, ``False`` for text.
        info: What the model can do.

    Raises:
        ModelInfoError: The model cannot do that.
        ModelRequestError: It is none of these.
    """
    if json_output is None:
        return None
    if json_output is False:
        return {"type": "text"}
    if json_output is True:
        if not info["json_output"]:
            raise ModelInfoError(
                "Model does not support JSON output; if it does, say so in model_info"
            )
        return {"type": "json_object"}
    if isinstance(json_output, type) and issubclass(json_output, BaseModel):
        schema, name = strict(json_output.model_json_schema()), json_output.__name__
    elif isinstance(json_output, Mapping):
        schema, name = dict(json_output), str(json_output.get("title") or "answer")
    else:
        raise ModelRequestError(
            "json_output must be a boolean, a Pydantic model class or a JSON schema, "
            f"got {json_output!r}"
        )
    if not info.get("structured_output"):
        raise ModelInfoError(
            "Model does not support structured output; if it does, say so in model_info"
        )
    held: dict[str, Any] = {"name": plain_name(name), "schema": schema}
    if isinstance(json_output, type):
        held["strict"] = True
    return {"type": "json_schema", "json_schema": held}


def strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Write the schema of a class in the narrow form that strict output asks for.

    All properties are required and none may be added; what pydantic leaves to a default can then
    not be left out, but may be null where the class allows it.
    """
    narrow: dict[str, Any] = {key: _narrow(key, value) for key, value in schema.items()}
    reference = narrow.pop("$ref", None)
    if reference is not None:  # a class that holds itself; but the whole has to be an object
        narrow = {**narrow, **narrow["$defs"][reference.rpartition("/")[2]]}
    return _closed(narrow)


def _narrow(key: str, value: Any) -> Any:
    if key in ("enum", "const", "required"):
        return value
    if key in ("properties", "$defs"):
        return {name: _narrow("", inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_narrow("", item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return {"$ref": value["$ref"]}  # nothing may stand beside a reference
    return _closed({inner: _narrow(inner, its) for inner, its in value.items()})


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Close an object against what it does not name, and leave out what strict output refuses."""
    closed = {key: value for key, value in schema.items() if key not in _UNKNOWN_TO_STRICT}
    if closed.get("type") == "object" and "properties" in closed:
        closed["required"] = list(closed["properties"])
        closed["additionalProperties"] = False
    return closed
