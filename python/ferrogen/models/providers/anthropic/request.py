"""The body of a request to Anthropic's API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ferrogen._image import Image
from ferrogen.exceptions import ModelInfoError, ModelRequestError
from ferrogen.models.client import ToolChoice
from ferrogen.models.messages import LLMMessage, UserMessage
from ferrogen.models.model_info import ModelInfo
from ferrogen.models.providers._structured import JsonOutput
from ferrogen.models.providers._tool_calls import ProviderData, WireNames
from ferrogen.models.providers.anthropic.blocks import Block, text_blocks
from ferrogen.models.providers.anthropic.configuration import (
    DEFAULT_MAX_TOKENS,
    keep_thinking_possible,
    mark_for_cache,
    thinks,
)
from ferrogen.models.providers.anthropic.conversation import Conversation, conversation_of
from ferrogen.models.providers.anthropic.structured import ANSWER_TOOL, Structure, structure_of
from ferrogen.models.providers.anthropic.tools import (
    LONGEST_NAME,
    OfferedTools,
    choice_among,
    tool_definition,
    used_tools,
)
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema

# What may be among the arguments and is not a field of the body, and what the SDK calls it.
_OPTIONS = {
    "extra_headers": "headers",
    "extra_query": "params",
    "extra_body": "extra_json",
    "timeout": "timeout",
}
# A model that has to call one of the user's tools cannot call ours as well.
_FREE = ("auto", "none")
_NOT_ARGUMENTS = {"messages", "stream"}
_OURS = ("response_format", "prompt_cache")


@dataclass(frozen=True)
class Request:
    """The body of the request, and the form of the response."""

    body: dict[str, Any]
    options: dict[str, Any]
    names: WireNames
    answer_tool: str | None
    wrapper: str | None

    @property
    def tools(self) -> list[Block]:
        """The tools that the model may call."""
        tools: list[Block] = self.body.get("tools", [])
        return tools


def request_of(
    messages: Sequence[LLMMessage],
    tools: Sequence[Tool | ToolSchema],
    tool_choice: ToolChoice,
    json_output: JsonOutput,
    arguments: Mapping[str, Any],
    model_info: ModelInfo,
    data: ProviderData,
    offered: OfferedTools,
) -> Request:
    """Write a request.

    Args:
        messages: The conversation so far.
        tools: The tools that the model may call.
        tool_choice: Which of them.
        json_output: The required form of the response.
        arguments: Further fields of the request.
        model_info: The abilities of the model.
        data: The signed thoughts of earlier responses.
        offered: The tools of earlier requests.

    Raises:
        ModelInfoError: The model lacks an ability that is asked for.
        ModelRequestError: An option does not exist, or options cannot be combined.
        ToolSchemaError: A tool cannot be described to the API.
    """
    for name in _NOT_ARGUMENTS & arguments.keys():
        raise ModelRequestError(f"{name} is the client's to send; it cannot be an argument")
    _check_abilities(messages, tools, model_info)
    schemas = [tool.schema if isinstance(tool, Tool) else tool for tool in tools]
    names = WireNames((schema["name"] for schema in schemas), LONGEST_NAME)
    conversation = conversation_of(messages, data, offered, names)
    body = {name: value for name, value in arguments.items() if value is not None}
    options = {option: body.pop(name) for name, option in _OPTIONS.items() if name in body}
    ours = {name: body.pop(name, None) for name in _OURS}
    body.setdefault("max_tokens", DEFAULT_MAX_TOKENS)
    body["messages"] = conversation.messages
    keep_thinking_possible(body)
    if system := _system(body.pop("system", []), conversation.system):
        body["system"] = system
    structure = structure_of(json_output, ours["response_format"], model_info=model_info)
    answers_by_tool = structure is not None and not structure.native and tool_choice in _FREE
    strict = bool(model_info.get("structured_output"))
    defined = [tool_definition(schema, names, strict) for schema in schemas]
    _put_tools(body, defined, tool_choice, conversation, names)
    if structure is not None and structure.native:
        body["output_config"] = {**body.get("output_config", {}), "format": structure.output_format}
    elif structure is not None and answers_by_tool:
        callable_tools = tools or arguments.get("tools")
        _put_answer_tool(body, structure, alone=tool_choice == "none" or not callable_tools)
    if ours["prompt_cache"] is not None:
        mark_for_cache(body, ours["prompt_cache"])
    wrapper = structure.wrapper if structure is not None else None
    return Request(body, options, names, ANSWER_TOOL if answers_by_tool else None, wrapper)


def _system(argument: str | Sequence[Block], said: Sequence[str]) -> list[Block]:
    """Put the system messages behind what an argument says to the system."""
    before = text_blocks(argument) if isinstance(argument, str) else list(argument)
    return before + text_blocks("\n".join(said))


def _put_tools(
    body: dict[str, Any],
    defined: list[Block],
    tool_choice: ToolChoice,
    conversation: Conversation,
    names: WireNames,
) -> None:
    configured_choice = body.pop("tool_choice", None)
    defined = defined + body.pop("tools", [])
    if defined:
        body["tools"] = defined
        if tool_choice == "auto" and configured_choice is not None:
            named = isinstance(configured_choice, str)
            body["tool_choice"] = {"type": configured_choice} if named else configured_choice
        else:
            body["tool_choice"] = choice_among(tool_choice, defined, names)
    elif isinstance(tool_choice, Tool):
        choice_among(tool_choice, defined, names)
    elif known := conversation.tools or used_tools(conversation.messages):
        # The API wants the tools of earlier calls declared, though none may be called now.
        body["tools"] = list(known)
        body["tool_choice"] = {"type": "none"}


def _put_answer_tool(body: dict[str, Any], structure: Structure, alone: bool) -> None:
    """Let the model respond by calling a tool: only that one, or any of the user's too."""
    if thinks(body):
        raise ModelRequestError(
            "this model has to give such a response by calling a tool, and the API makes no model "
            "that thinks call one; pass thinking={'type': 'disabled'} in extra_create_args, or set "
            "structured_output in model_info if the model keeps to schemas by itself"
        )
    body["tools"] = [*body.get("tools", []), structure.tool]
    choice = {"type": "tool", "name": ANSWER_TOOL} if alone else {"type": "any"}
    body["tool_choice"] = choice


def _check_abilities(
    messages: Sequence[LLMMessage], tools: Sequence[Tool | ToolSchema], model_info: ModelInfo
) -> None:
    if tools and not model_info["function_calling"]:
        raise ModelInfoError(
            "Model does not support function calling; if it does, set function_calling in "
            "model_info, else pass no tools"
        )
    if not model_info["vision"] and any(
        isinstance(part, Image)
        for message in messages
        if isinstance(message, UserMessage) and not isinstance(message.content, str)
        for part in message.content
    ):
        raise ModelInfoError(
            "Model does not support vision and image was provided; if it does, set vision in "
            "model_info, else send no images"
        )
