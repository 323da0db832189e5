"""Conversion of messages to the chat API, per model family."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ferrogen._image import Image
from ferrogen.exceptions import ModelInfoError, ModelRequestError
from ferrogen.messaging.function_call import FunctionCall
from ferrogen.models.messages import (
    AssistantMessage,
    FunctionExecutionResultMessage,
    LLMMessage,
    SystemMessage,
    UserMessage,
)
from ferrogen.models.model_info import ModelFamily, ModelInfo
from ferrogen.models.providers._tool_calls import ProviderData, WireNames, plain_name


class Conversation(msgspec.Struct, frozen=True):
    """How messages are written for one client."""

    info: ModelInfo
    """The abilities of the model."""

    data: ProviderData
    """The data that the service requires back."""

    model: str
    """The model."""

    add_name_prefixes: bool = False
    """Whether texts begin with the name of who says them."""

    include_name_in_message: bool = True
    """Whether messages of users have a ``name`` beside them."""

    def written(
        self, messages: Sequence[LLMMessage], names: WireNames | None = None
    ) -> list[dict[str, Any]]:
        """Write messages for the API.

        Args:
            messages: The messages.
            names: The names of the tools of the request.

        Raises:
            ModelInfoError: There is a picture, and the model sees none.
            ModelRequestError: System messages stand apart, and the model takes one only.
        """
        if not self.info.get("multiple_system_messages"):
            messages = _with_one_system_message(messages)
        if ModelFamily.is_claude(self.info["family"]):
            messages = _as_claude_takes_them(messages)
        names = names or WireNames()
        wires = [wire for message in messages for wire in self._wires(message, names)]
        _fill_ids(wires)
        return wires

    def _wires(self, message: LLMMessage, names: WireNames) -> Iterable[dict[str, Any]]:
        family = self.info["family"]
        if isinstance(message, SystemMessage):
            yield {"role": "system", "content": self._text(message.content)}
        elif isinstance(message, UserMessage):
            wire = {"role": "user", "content": self._user_content(message)}
            name = plain_name(message.source)
            if name and self.include_name_in_message and not ModelFamily.is_mistral(family):
                wire["name"] = name
            yield wire
        elif isinstance(message, AssistantMessage):
            yield self._assistant(message, names)
        elif isinstance(message, FunctionExecutionResultMessage):
            for result in message.content:
                yield {"role": "tool", "content": result.content, "tool_call_id": result.call_id}
        else:
            raise ModelRequestError(f"Unknown message type: {type(message)}")

    def _user_content(self, message: UserMessage) -> str | list[dict[str, Any]]:
        prefix = f"{message.source} said:\n" if self.add_name_prefixes else ""
        if isinstance(message.content, str):
            return self._text(prefix + message.content)
        parts: list[dict[str, Any]] = []
        for part in message.content:
            if isinstance(part, Image):
                if not self.info["vision"]:
                    raise ModelInfoError(
                        "Model does not support vision and image was provided; if it does, say "
                        "so in model_info"
                    )
                parts.append(part.to_openai_format())
            else:
                parts.append({"type": "text", "text": part if parts else prefix + part})
        return parts

    def _assistant(self, message: AssistantMessage, names: WireNames) -> dict[str, Any]:
        calls = message.content
        if isinstance(calls, str):
            return {"role": "assistant", "content": self._text(calls)}
        thought = message.thought
        if not calls:  # the API refuses an empty list of them
            return {"role": "assistant", "content": self._text(thought or "")}
        data = self.data.of(calls)
        wire_calls = [_call(call, names, each) for call, each in zip(calls, data, strict=True)]
        kept = dict(data[0].get("message", {}))
        if not kept and "deepseek" in self.model.lower():
            # Its reasoning models refuse calls without it, those of other models too.
            kept = {"content": None, "reasoning_content": thought or ""}
        if kept:
            return {
                "role": "assistant",
                **kept,
                "content": kept.get("content") or None,
                "tool_calls": wire_calls,
            }
        if thought is not None and not ModelFamily.is_openai(self.info["family"]):
            thought = self._text(thought)
        return {"role": "assistant", "content": thought, "tool_calls": wire_calls}

    def _text(self, text: str) -> str:
        """Give a text as the family takes it: some refuse empty ones."""
        family = self.info["family"]
        return text or (" " if ModelFamily.is_gemini(family) else text)


def _with_one_system_message(messages: Sequence[LLMMessage]) -> Sequence[LLMMessage]:
    at = [place for place, message in enumerate(messages) if isinstance(message, SystemMessage)]
    if len(at) < 2:
        return messages
    if at[-1] - at[0] >= len(at):
        raise ModelRequestError(
            "Multiple and Not continuous system messages are not supported if "
            "model_info['multiple_system_messages'] is False; put them together, or say in "
            "model_info that the model takes them apart"
        )
    texts = [m.content for m in messages[at[0] : at[-1] + 1] if isinstance(m, SystemMessage)]
    merged = SystemMessage(content="\n".join(texts).rstrip())
    return [*messages[: at[0]], merged, *messages[at[-1] + 1 :]]


def _as_claude_takes_them(messages: Sequence[LLMMessage]) -> Sequence[LLMMessage]:
    """Leave out blank texts, and blanks at the end of a last word that Claude is to go on from."""
    kept = [m for m in messages if not isinstance(m.content, str) or m.content.strip()]
    if kept and isinstance(last := kept[-1], AssistantMessage) and isinstance(last.content, str):
        kept[-1] = last.model_copy(update={"content": last.content.rstrip()})
    return kept


def _call(call: FunctionCall, names: WireNames, data: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": names.wire(call.name), "arguments": readable(call.arguments)}
    return {
        **data.get("call", {}),
        "id": call.id,
        "type": "function",
        "function": {**data.get("function", {}), **function},
    }


def _fill_ids(wires: list[dict[str, Any]]) -> None:
    """Give calls without an id one, and their results the same, because services refuse them."""
    pending: list[str] = []
    number = 0
    for wire in wires:
        for call in wire.get("tool_calls", ()):
            if not call["id"]:
                number += 1
                call["id"] = f"call_{number}"
                pending.append(call["id"])
        if wire.get("tool_call_id") == "" and pending:
            wire["tool_call_id"] = pending.pop(0)


def readable(arguments: str) -> str:
    """Return arguments that services can read.

    Many parse earlier calls again, and fail if the model once wrote invalid JSON. The model still
    sees what it wrote.
    """
    try:
        if isinstance(msgspec.json.decode(arguments), dict):
            return arguments
    except msgspec.DecodeError:
        pass
    return json.dumps({"malformed_arguments": arguments}, ensure_ascii=False)
