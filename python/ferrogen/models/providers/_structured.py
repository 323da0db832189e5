"""Structured output: the schema that a response has to fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec
from pydantic import BaseModel

from ferrogen.exceptions import ModelInfoError, ModelRequestError
from ferrogen.models.model_info import ModelInfo
from ferrogen.models.providers._strict import strict_output
from ferrogen.models.providers._strict_modes import OPENAI, StrictMode
from ferrogen.models.providers._tool_calls import plain_name

JsonOutput: TypeAlias = bool | type[BaseModel] | Mapping[str, Any] | None
"""The required form of a response: a class, a JSON Schema, JSON of any shape, text, or anything."""


@dataclass(frozen=True)
class OutputSchema:
    """The schema that a response has to fit, as a service is sent it."""

    name: str
    """Its name."""

    schema: dict[str, Any]
    """The schema."""

    strict: bool
    """Whether it is in the form of the strict mode."""

    wrapper: str | None = None
    """The property of the object that was put around it."""


def output_schema(
    json_output: type[BaseModel] | Mapping[str, Any], info: ModelInfo, mode: StrictMode = OPENAI
) -> OutputSchema:
    """Return the schema for a class, in the form of the strict mode, or a given schema unchanged.

    Raises:
        ModelInfoError: The model does not support structured output.
        ModelRequestError: A field has no form in the strict mode, or it is neither of the two.
    """
    if isinstance(json_output, type) and issubclass(json_output, BaseModel):
        name = json_output.__name__
        schema, wrapper = strict_output(schema_of(json_output), name, mode)
        found = OutputSchema(plain_name(name), schema, strict=True, wrapper=wrapper)
    elif isinstance(json_output, Mapping):
        name = str(json_output.get("title") or "answer")
        found = OutputSchema(plain_name(name), dict(json_output), strict=False)
    else:
        raise ModelRequestError(
            "json_output must be a boolean, a Pydantic model class or a JSON schema, "
            f"got {json_output!r}"
        )
    if not info.get("structured_output"):
        raise ModelInfoError(
            "Model does not support structured output; if it does, set structured_output in "
            "model_info"
        )
    return found


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a class.

    Raises:
        ModelRequestError: A field has no form in JSON Schema.
    """
    try:
        return model.model_json_schema()
    except Exception as error:  # pydantic's class of it is not public in all versions
        raise ModelRequestError(
            f"{model.__name__} has no JSON schema: {error}; give the field a type that has one"
        ) from error


def check_json_output(info: ModelInfo) -> None:
    """Raise if the model cannot be asked for JSON of any shape.

    Raises:
        ModelInfoError: It cannot.
    """
    if not info["json_output"]:
        raise ModelInfoError(
            "Model does not support JSON output; if it does, set json_output in model_info"
        )


def unwrapped(text: str, wrapper: str) -> str:
    """Return the value in the object that was put around it, or an incomplete text as it is."""
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    if not isinstance(value, dict) or wrapper not in value:
        return text
    return msgspec.json.encode(value[wrapper]).decode()
