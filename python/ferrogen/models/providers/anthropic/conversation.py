"""Conversion of messages to the form that Anthropic's API accepts.

The API wants the system's words apart from the rest, a user first, user and assistant in turns, no
blank text, and the results of all calls at the beginning of the message after the calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from ferrogen.messaging.function_call import FunctionCall
from ferrogen.models.messages import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    SystemMessage,
    UserMessage,
)
from ferrogen.models.providers._tool_calls import ProviderData, WireNames
from ferrogen.models.providers.anthropic.blocks import (
    Block,
    UniqueIds,
    missing_result_block,
    stray_result_blocks,
    text_blocks,
    tool_result_block,
    tool_use_block,
    user_blocks,
)
from ferrogen.models.providers.anthropic.tools import OfferedTools

OPENING = "Begin."
"""The text of the user message that is put before a conversation that has none at its beginning."""


class Conversation:
    """Converts messages one after the other to the form that is sent.

    Args:
        data: The signed thoughts of earlier responses.
        offered: The tools of earlier requests.
        names: The names of the tools of this request.
    """

    def __init__(self, data: ProviderData, offered: OfferedTools, names: WireNames) -> None:
        self.system: list[str] = []
        """The system messages, from any position."""
        self.messages: list[dict[str, Any]] = []
        """The other messages, in alternating roles."""
        self.tools: list[Block] = []
        """The tools that the latest calls were chosen from, as far as they are known."""
        self._data = data
        self._offered = offered
        self._names = names
        self._ids = UniqueIds()
        # The calls that still lack a result: the id in the conversation, and the one that is sent.
        self._open: list[tuple[str, str]] = []

    def add(self, message: LLMMessage) -> None:
        """Take the next message."""
        if isinstance(message, SystemMessage):
            if text_blocks(message.content):
                self.system.append(message.content)
        elif isinstance(message, UserMessage):
            self._say("user", user_blocks(message.content))
        elif isinstance(message, FunctionExecutionResultMessage):
            for result in message.content:
                self._respond(result)
        elif isinstance(message.content, str):
            self._speak(text_blocks(message.content))
        else:
            self._call(message, message.content)

    def finish(self) -> None:
        """Complete it, once there are no more messages."""
        self._close_calls()
        if not self.messages:
            self._say("user", text_blocks(OPENING))
        last = self.messages[-1]
        if last["role"] == "assistant" and last["content"][-1]["type"] == "text":
            # A text that the model continues must not end in blanks.
            said = last["content"][-1]["text"].rstrip()
            last["content"][-1] = {"type": "text", "text": said}

    def _speak(self, blocks: list[Block]) -> None:
        if blocks:
            self._close_calls()
            if not self.messages:
                self._say("user", text_blocks(OPENING))
            self._say("assistant", blocks)

    def _call(self, message: AssistantMessage, calls: list[FunctionCall]) -> None:
        self.tools = self._offered.of(calls) or self.tools
        wired = [self._ids.unique(call.id) for call in calls]
        uses = [
            tool_use_block(call, wire_id, self._names.wire(call.name))
            for call, wire_id in zip(calls, wired, strict=True)
        ]
        kept = next((each["blocks"] for each in self._data.of(calls) if "blocks" in each), None)
        blocks = None if kept is None else _with_calls(kept, calls, uses)
        self._speak(text_blocks(message.thought) + uses if blocks is None else blocks)
        self._open += [(call.id, wire_id) for call, wire_id in zip(calls, wired, strict=True)]

    def _respond(self, result: FunctionExecutionResult) -> None:
        for number, (original, wired) in enumerate(self._open):
            if original == result.call_id:
                del self._open[number]
                self._put_result(tool_result_block(result, wired))
                return
        self._say("user", stray_result_blocks(result))

    def _close_calls(self) -> None:
        for _, wired in self._open:
            self._put_result(missing_result_block(wired))
        self._open = []

    def _put_result(self, block: Block) -> None:
        """Place a result behind the other results, before anything else that the user says."""
        if self.messages[-1]["role"] == "assistant":
            self.messages.append({"role": "user", "content": []})
        content = self.messages[-1]["content"]
        results = sum(other["type"] == "tool_result" for other in content)
        content.insert(results, block)

    def _say(self, role: Literal["user", "assistant"], blocks: list[Block]) -> None:
        if not blocks:
            return
        if self.messages and self.messages[-1]["role"] == role:
            self.messages[-1]["content"].extend(blocks)
        else:
            self.messages.append({"role": role, "content": list(blocks)})


def conversation_of(
    messages: Sequence[LLMMessage],
    data: ProviderData | None = None,
    offered: OfferedTools | None = None,
    names: WireNames | None = None,
) -> Conversation:
    """Turn messages into a conversation that the API accepts."""
    conversation = Conversation(
        data or ProviderData("anthropic"), offered or OfferedTools(), names or WireNames()
    )
    for message in messages:
        conversation.add(message)
    conversation.finish()
    return conversation


def _with_calls(
    kept: Sequence[Block], calls: Sequence[FunctionCall], uses: Sequence[Block]
) -> list[Block] | None:
    """Put calls into their places among the other blocks of their response.

    Returns:
        The blocks, or ``None`` if these are not the calls of that response.
    """
    places = [block.get("id") for block in kept if block["type"] == "tool_use"]
    if len(places) != len(calls):
        return None
    if any(place and place != call.id for place, call in zip(places, calls, strict=True)):
        return None
    rest = iter(uses)
    return [next(rest) if block["type"] == "tool_use" else block for block in kept]
