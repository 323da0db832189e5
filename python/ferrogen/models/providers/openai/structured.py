"""The response format of a request to the chat API."""

from __future__ import annotations

from typing import Any

from ferrogen.models.model_info import ModelInfo
from ferrogen.models.providers._structured import JsonOutput, check_json_output, output_schema


def response_format(
    json_output: JsonOutput, info: ModelInfo
) -> tuple[dict[str, Any] | None, str | None]:
    """Return the response format that a request asks for, and the object around its schema.

    Args:
        json_output: A class or a JSON Schema that the response has to fit, ``True`` for JSON of any
            shape, ``False`` for text, ``None`` to leave it open.
        info: The abilities of the model.

    Raises:
        ModelInfoError: The model cannot do that.
        ModelRequestError: It is none of these, or a field has no form in the strict mode.
    """
    if json_output is None:
        return None, None
    if json_output is False:
        return {"type": "text"}, None
    if json_output is True:
        check_json_output(info)
        return {"type": "json_object"}, None
    output = output_schema(json_output, info)
    held: dict[str, Any] = {"name": output.name, "schema": output.schema}
    if output.strict:
        held["strict"] = True
    return {"type": "json_schema", "json_schema": held}, output.wrapper
