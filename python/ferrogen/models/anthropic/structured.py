"""Structured output.

Models that can be held to a schema get it as their output format. The others are given a tool
whose arguments are the answer, and have to call it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ferrogen.exceptions import ModelInfoError, ModelRequestError
from ferrogen.models.anthropic.blocks import Block
from ferrogen.models.anthropic.sdk import anthropic
from ferrogen.models.model_info import ModelInfo

ANSWER_TOOL = "final_answer"
"""The tool by which models answer that know no output format."""


@dataclass(frozen=True)
class Structure:
    """What the answer has to look like."""

    schema: dict[str, Any]
    """As JSON Schema; ``{"type": "object"}`` for an object of whatever shape."""

    native: bool
    """Whether the model can be held to it as its output format."""

    @property
    def output_format(self) -> dict[str, Any]:
        """The schema as the API knows it; limits that it does not know become descriptions."""
        return {"type": "json_schema", "schema": anthropic.transform_schema(self.schema)}

    @property
    def tool(self) -> Block:
        """The schema as that of a tool."""
        return {
            "name": ANSWER_TOOL,
            "description": "Gives the answer: its arguments are the JSON that was asked for.",
            "input_schema": {"type": "object", **self.schema},
        }


def structure_of(
    json_output: bool | type[BaseModel] | Mapping[str, Any] | None,
    response_format: Mapping[str, Any] | None,
    *,
    model_info: ModelInfo,
) -> Structure | None:
    """Find out what the answer has to look like; None if it is free.

    Args:
        json_output: As `ChatCompletionClient.create` takes it.
        response_format: The same as OpenAI writes it, which is heeded if ``json_output`` is None.
        model_info: What the model is said to know.

    Raises:
        ModelInfoError: The model is said to know nothing by which it could be held to that.
        ModelRequestError: It is no kind of format.
    """
    if json_output is None:
        json_output = _wanted_by(response_format)
    if json_output is None or json_output is False:
        return None
    native = bool(model_info.get("structured_output"))
    if json_output is True:
        if not model_info["json_output"]:
            raise ModelInfoError(
                "Model does not support JSON output; if it does, set json_output in model_info"
            )
        return Structure({"type": "object"}, native=False)
    if isinstance(json_output, type) and issubclass(json_output, BaseModel):
        json_output = json_output.model_json_schema()
    if not isinstance(json_output, Mapping):
        raise ModelRequestError(
            "json_output is a bool, a class of pydantic's BaseModel or a JSON Schema, not "
            f"{json_output!r}"
        )
    if not (native or model_info["json_output"] or model_info["function_calling"]):
        raise ModelInfoError(
            "Model does not support structured output; if it does, or calls functions, set "
            "structured_output or function_calling in model_info"
        )
    return Structure(dict(json_output), native)


def _wanted_by(response_format: Mapping[str, Any] | None) -> Any:
    if response_format is None:
        return None
    kind = response_format.get("type")
    if kind == "text":
        return None
    if kind == "json_object":
        return True
    if kind == "json_schema":
        named = response_format.get("json_schema", response_format)
        if isinstance(schema := named.get("schema"), dict):
            return schema
    raise ModelRequestError(
        "response_format has the type 'text', 'json_object', or 'json_schema' with a schema, not "
        f"{response_format!r}"
    )
