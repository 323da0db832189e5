"""Structured output.

Models that can be held to a schema get it as their output format. The others are given a tool
whose arguments are the response, and have to call it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ferrogen.exceptions import ModelInfoError, ModelRequestError
from ferrogen.models.model_info import ModelInfo
from ferrogen.models.providers._strict import strict_output, wrapped_root
from ferrogen.models.providers._strict_modes import ANTHROPIC
from ferrogen.models.providers._structured import JsonOutput, check_json_output, schema_of
from ferrogen.models.providers.anthropic.blocks import Block
from ferrogen.models.providers.anthropic.sdk import anthropic

ANSWER_TOOL = "final_answer"
"""The tool through which models without an output format respond."""


@dataclass(frozen=True)
class Structure:
    """The required form of the response."""

    schema: dict[str, Any]
    """As JSON Schema; ``{"type": "object"}`` for an object of any shape."""

    native: bool
    """Whether the model can be held to it as its output format."""

    wrapper: str | None = None
    """The property of the object that was put around it."""

    @property
    def output_format(self) -> dict[str, Any]:
        """The schema as an output format."""
        return {"type": "json_schema", "schema": self.schema}

    @property
    def tool(self) -> Block:
        """The schema as that of a tool."""
        return {
            "name": ANSWER_TOOL,
            "description": "Gives the answer: its arguments are the JSON that was asked for.",
            "input_schema": {"type": "object", **self.schema},
        }


def structure_of(
    json_output: JsonOutput,
    response_format: Mapping[str, Any] | None,
    *,
    model_info: ModelInfo,
) -> Structure | None:
    """Find out what the response has to look like; None if it is free.

    Args:
        json_output: As `ChatCompletionClient.create` takes it.
        response_format: The same in OpenAI's form; used if ``json_output`` is None.
        model_info: The abilities of the model.

    Raises:
        ModelInfoError: The model has no ability by which it could be held to that.
        ModelRequestError: It is not a format, or a field has no form in the strict mode.
    """
    if json_output is None:
        json_output = _wanted_by(response_format)
    if json_output is None or json_output is False:
        return None
    native = bool(model_info.get("structured_output"))
    if json_output is True:
        check_json_output(model_info)
        return Structure({"type": "object"}, native=False)
    is_class = isinstance(json_output, type) and issubclass(json_output, BaseModel)
    if not is_class and not isinstance(json_output, Mapping):
        raise ModelRequestError(
            "json_output is a bool, a class of pydantic's BaseModel or a JSON Schema, not "
            f"{json_output!r}"
        )
    if not (native or model_info["json_output"] or model_info["function_calling"]):
        raise ModelInfoError(
            "Model does not support structured output; if it does, or calls functions, set "
            "structured_output or function_calling in model_info"
        )
    if isinstance(json_output, type):
        schema = schema_of(json_output)
        if native:
            schema, wrapper = strict_output(schema, json_output.__name__, ANTHROPIC)
        else:
            schema, wrapper = wrapped_root(schema)
        return Structure(schema, native, wrapper)
    schema = dict(json_output)
    return Structure(anthropic.transform_schema(schema) if native else schema, native)


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
