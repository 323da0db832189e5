"""The body of a request to the chat API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from pydantic import BaseModel

from ferrogen.exceptions import ModelInfoError, ModelRequestError
from ferrogen.models.messages import LLMMessage
from ferrogen.models.openai.conversation import Conversation
from ferrogen.models.openai.sdk import openai
from ferrogen.models.openai.structured import response_format
from ferrogen.models.openai.tools import written_choice, written_tools
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema

_IN_THE_API = frozenset(
    openai.types.chat.completion_create_params.CompletionCreateParamsBase.__annotations__
)
_OF_THE_SDK = frozenset({"timeout", "extra_headers", "extra_query", "extra_body"})
# What the methods' own arguments say, or what would ask for an answer of another kind.
_REFUSED = frozenset({"stream", "messages", "function_call", "functions", "n"})

ToolChoice = Tool | Literal["auto", "required", "none"]
JsonOutput = bool | type[BaseModel] | Mapping[str, Any] | None


class WireRequest(msgspec.Struct, frozen=True):
    """A request as it goes out."""

    body: dict[str, Any]
    """What the service is sent."""

    options: dict[str, Any]
    """What the SDK is told beside it."""


def checked_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Check arguments that are passed on to the service.

    Raises:
        ModelRequestError: One is not known, or is not to be given like this.
    """
    if refused := _REFUSED.intersection(arguments):
        raise ModelRequestError(f"Disallowed create args are present: {_listed(refused)}")
    if unknown := set(arguments) - _IN_THE_API - _OF_THE_SDK:
        raise ModelRequestError(
            f"Extra create args are invalid: {_listed(unknown)}; what a service knows beyond "
            "OpenAI's own goes into extra_body"
        )
    return dict(arguments)


def wire_request(
    fixed: Mapping[str, Any],
    conversation: Conversation,
    messages: Sequence[LLMMessage],
    tools: Sequence[Tool | ToolSchema],
    tool_choice: ToolChoice,
    json_output: JsonOutput,
    extra: Mapping[str, Any],
) -> WireRequest:
    """Put a request together.

    Args:
        fixed: The arguments that the client has for every request; checked.
        conversation: How messages are written.
        messages: What is asked.
        tools: What the model may call.
        tool_choice: What it has to call.
        json_output: What the answer has to fit.
        extra: The arguments for this request; they go before the client's.

    Raises:
        ModelRequestError: Arguments contradict each other, or are not known.
        ModelInfoError: The model cannot do what is asked.
        ToolSchemaError: A tool cannot be described to a service.
    """
    info = conversation.info
    arguments = {**fixed, **checked_arguments(extra)}
    given = arguments.get("response_format")
    if isinstance(given, type):  # upstream's older way to say json_output
        if isinstance(json_output, type):
            raise ModelRequestError(
                "response_format and json_output cannot be set to a Pydantic model class at the "
                "same time."
            )
        json_output = arguments.pop("response_format")
    if (held := response_format(json_output, info)) is not None:
        arguments["response_format"] = held
    if tools and not info["function_calling"]:
        raise ModelInfoError(
            "Model does not support function calling; if it does, say so in model_info"
        )
    wire_tools = written_tools(tools)
    choice = written_choice(tool_choice, wire_tools)
    if wire_tools:
        arguments["tools"] = [*arguments.get("tools", ()), *wire_tools]
    if choice is not None:
        arguments["tool_choice"] = choice
    return _apart(arguments, conversation.written(messages))


def streamed(request: WireRequest, include_usage: bool | None) -> WireRequest:
    """Ask for the answer in pieces.

    Args:
        request: What is asked.
        include_usage: Whether the service is to tell the usage; if nobody says, it is.

    Raises:
        ModelRequestError: ``stream_options`` of the request say otherwise.
    """
    told = request.body.get("stream_options") or {}
    wanted = told.get("include_usage")
    if include_usage is not None and wanted not in (None, include_usage):
        raise ModelRequestError(
            "include_usage and extra_create_args['stream_options']['include_usage'] are both set, "
            "but differ in value."
        )
    body = {**request.body, "stream": True}
    if include_usage is not False and wanted is None:
        body["stream_options"] = {**told, "include_usage": True}
    return msgspec.structs.replace(request, body=body)


def _apart(arguments: dict[str, Any], messages: list[dict[str, Any]]) -> WireRequest:
    """Part what the service is sent from what the SDK is told."""
    options = {
        name: arguments.pop(given)
        for given, name in (
            ("timeout", "timeout"),
            ("extra_headers", "headers"),
            ("extra_query", "params"),
        )
        if given in arguments
    }
    beyond = arguments.pop("extra_body", None) or {}
    return WireRequest({"messages": messages, "stream": False, **arguments, **beyond}, options)


def _listed(names: set[str] | frozenset[str]) -> str:
    return ", ".join(sorted(names))
