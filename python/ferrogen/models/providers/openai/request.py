"""The body of a request to the chat API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ferrogen.exceptions import ModelRequestError
from ferrogen.models.model_info import ModelInfo
from ferrogen.models.providers._call import ModelRequest
from ferrogen.models.providers._config import check_names
from ferrogen.models.providers._structured import JsonOutput, check_json_output, output_schema
from ferrogen.models.providers._tool_calls import WireNames
from ferrogen.models.providers.chat_completions.tools import (
    schemas_of,
    written_choice,
    written_tools,
)
from ferrogen.models.providers.openai.conversation import Conversation
from ferrogen.models.providers.openai.sdk import openai


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


_IN_THE_API = frozenset(
    openai.types.chat.completion_create_params.CompletionCreateParamsBase.__annotations__
)
_OF_THE_SDK = frozenset({"timeout", "extra_headers", "extra_query", "extra_body"})
REQUEST_ARGUMENTS = _IN_THE_API | _OF_THE_SDK
"""The arguments that are sent with a request."""

ADVICE = "arguments of a service beyond OpenAI's go into extra_body"
# What the methods' own arguments say, or what would ask for a response of another kind.
_REFUSED = frozenset({"stream", "messages", "function_call", "functions", "n"})


class WireRequest(msgspec.Struct, frozen=True):
    """A request as it is sent."""

    body: dict[str, Any]
    """The body of the request."""

    options: dict[str, Any]
    """The options of the SDK beside the body."""

    names: WireNames
    """The names of the tools."""

    wrapper: str | None = None
    """The property of the object that was put around the schema of the response."""


def checked_arguments(owner: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Check arguments that are passed on to the service.

    Raises:
        UnknownArgumentError: There is no such argument.
        ModelRequestError: The client sets it itself.
    """
    refuse_arguments(arguments)
    check_names(owner, arguments, REQUEST_ARGUMENTS, ADVICE)
    return dict(arguments)


def refuse_arguments(arguments: Mapping[str, Any]) -> None:
    """Raise if there are arguments that the client sets itself.

    Raises:
        ModelRequestError: There are some.
    """
    if refused := _REFUSED.intersection(arguments):
        raise ModelRequestError(f"Disallowed create args are present: {_listed(refused)}")


def wire_request(
    fixed: Mapping[str, Any], conversation: Conversation, request: ModelRequest
) -> WireRequest:
    """Put a request together.

    Args:
        fixed: The arguments that the client has for every request; checked.
        conversation: How messages are written.
        request: The arguments of this request; they override those of the client.

    Raises:
        ModelRequestError: Arguments contradict each other, or are not known.
        ModelInfoError: The model lacks an ability that the request needs.
        ToolSchemaError: A tool cannot be described to a service.
    """
    json_output = request.json_output
    info = conversation.info
    arguments = {**fixed, **checked_arguments("create", request.extra)}
    given = arguments.get("response_format")
    if isinstance(given, type):  # upstream's older way to say json_output
        if isinstance(json_output, type):
            raise ModelRequestError(
                "response_format and json_output cannot be set to a Pydantic model class at the "
                "same time."
            )
        json_output = arguments.pop("response_format")
    held, wrapper = response_format(json_output, info)
    if held is not None:
        arguments["response_format"] = held
    schemas = schemas_of(request.tools, info)
    names = WireNames(schema["name"] for schema in schemas)
    if schemas:
        arguments["tools"] = [*arguments.get("tools", ()), *written_tools(schemas, names)]
    choice = written_choice(request.tool_choice, schemas, names)
    if choice is not None:
        arguments["tool_choice"] = choice
    options = options_among(arguments)
    beyond = arguments.pop("extra_body", None) or {}
    body = {"messages": conversation.written(request.messages, names), "stream": False}
    return WireRequest({**body, **arguments, **beyond}, options, names, wrapper)


def streamed(request: WireRequest, include_usage: bool | None) -> WireRequest:
    """Ask for the response in pieces.

    Args:
        request: The request.
        include_usage: Whether the service is to report the usage; by default it is.

    Raises:
        ModelRequestError: ``stream_options`` of the request contradict that.
    """
    options = request.body.get("stream_options") or {}
    wanted = options.get("include_usage")
    if include_usage is not None and wanted not in (None, include_usage):
        raise ModelRequestError(
            "include_usage and extra_create_args['stream_options']['include_usage'] are both set, "
            "but differ in value."
        )
    body = {**request.body, "stream": True}
    if include_usage is not False and wanted is None:
        body["stream_options"] = {**options, "include_usage": True}
    return msgspec.structs.replace(request, body=body)


def options_among(arguments: dict[str, Any]) -> dict[str, Any]:
    """Remove the options beside the body from the arguments; return them by the SDK's names."""
    return {
        name: arguments.pop(given)
        for given, name in (
            ("timeout", "timeout"),
            ("extra_headers", "headers"),
            ("extra_query", "params"),
        )
        if given in arguments
    }


def _listed(names: set[str] | frozenset[str]) -> str:
    return ", ".join(sorted(names))
