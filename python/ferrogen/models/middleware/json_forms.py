"""JSON forms of requests, results and failures, for cache keys, caches and cassettes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from pydantic_core import PydanticSerializationError, to_jsonable_python

from ferrogen import exceptions
from ferrogen.exceptions import (
    ModelConnectionError,
    ModelError,
    ModelRateLimitError,
    ModelStatusError,
    ModelTimeoutError,
    SerializationError,
)
from ferrogen.models.middleware.failures import FailureKind, kind_of, retry_after, status_of
from ferrogen.models.middleware.request import Request
from ferrogen.models.results import CreateResult, RequestUsage
from ferrogen.models.usage import DetailedUsage
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema

_OURS = ModelError.__module__
_KINDS: Mapping[FailureKind, type[ModelError]] = {
    "rate_limit": ModelRateLimitError,
    "server": ModelStatusError,
    "refused": ModelStatusError,
    "timeout": ModelTimeoutError,
    "connection": ModelConnectionError,
}


def written_failure(error: Exception, now: float) -> dict[str, Any] | None:
    """Write a failure as JSON values; ``None`` if it is not a failure of a model.

    Errors of an SDK, and of a client on one, are written as the error of ours that means the same.

    Args:
        error: The error of the client.
        now: Seconds since 1970.
    """
    kind = _KINDS.get(kind_of(error))
    if isinstance(error, ModelError):  # perhaps a kind of it that a client has made for itself
        kind = next(each for each in type(error).__mro__ if each.__module__ == _OURS)
    if kind is None:
        return None
    form: dict[str, Any] = {"type": kind.__name__, "message": str(error)}
    if issubclass(kind, ModelStatusError):
        form["status"] = status_of(error)
        form["retry_after"] = retry_after(error, now)
    return form


def read_failure(form: Mapping[str, Any]) -> ModelError:
    """Read what `written_failure` wrote.

    Raises:
        KeyError: A part is missing.
        ValueError: It is not an error of a model.
    """
    kind = getattr(exceptions, form["type"], None)
    if not (isinstance(kind, type) and issubclass(kind, ModelError)):
        raise ValueError(f"{form['type']!r} is not an error of a model")
    if issubclass(kind, ModelStatusError):
        return kind(form["message"], status=form["status"], retry_after=form["retry_after"])
    return kind(form["message"])


def written_result(result: CreateResult) -> dict[str, Any]:
    """Write a result as JSON values, without the defaults."""
    # The field is declared as RequestUsage, so pydantic would leave out the details.
    form = result.model_dump(mode="json", exclude={"usage"}, exclude_none=True)
    usage = result.usage
    if isinstance(usage, DetailedUsage):
        return {**form, "usage": asdict(usage)}
    tokens = {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
    return {**form, "usage": tokens}


def read_result(form: Mapping[str, Any]) -> CreateResult:
    """Read what `written_result` wrote.

    Raises:
        KeyError: There is no usage.
        TypeError: The usage has other fields.
        pydantic.ValidationError: The rest is not a result.
    """
    usage = form["usage"]
    kind = RequestUsage if len(usage) == 2 else DetailedUsage
    return CreateResult.model_validate({**form, "usage": kind(**usage)})


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
