"""Conversion of messages to the form that Anthropic's API accepts.

The API wants the system's words apart from the rest, a user first, user and assistant in turns, no
blank text, and the results of all calls at the beginning of the message after the calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from ferrogen._messaging.function_call import FunctionCall
from ferrogen.models.anthropic.blocks import (
    Block,
    missing_result_block,
    stray_result_blocks,
    text_blocks,
    tool_result_block,
    tool_use_block,
    user_blocks,
    wire_ids,
)
from ferrogen.models.anthropic.turns import Turns
from ferrogen.models.messages import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    SystemMessage,
    UserMessage,
)

OPENING = "Begin."
"""What the user is made to say where a conversation does not begin with a user."""


class Conversation:
    """Takes messages one after the other, and holds what is to be sent.

    Args:
        turns: What the model said in earlier turns, to be sent back as it was said.
    """

    def __init__(self, turns: Turns) -> None:
        self.system: list[str] = []
        """What the developer said, wherever it stood."""
        self.messages: list[dict[str, Any]] = []
        """The rest, in turns."""
        self.tools: list[Block] = []
        """The tools that were on offer when the latest calls were made, as far as that is known."""
        self._turns = turns
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
                self._answer(result)
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
            # Whatever the model is to continue may not end in blanks.
            said = last["content"][-1]["text"].rstrip()
            last["content"][-1] = {"type": "text", "text": said}

    def _speak(self, blocks: list[Block]) -> None:
        if blocks:
            self._close_calls()
            if not self.messages:
                self._say("user", text_blocks(OPENING))
            self._say("assistant", blocks)

    def _call(self, message: AssistantMessage, calls: list[FunctionCall]) -> None:
        turn = self._turns.recall(calls)
        if turn is not None:
            self.tools = turn.tools
            blocks = turn.blocks
        else:
            wired = wire_ids(call.id for call in calls)
            uses = [tool_use_block(call, name) for call, name in zip(calls, wired, strict=True)]
            blocks = text_blocks(message.thought) + uses
        self._speak(blocks)
        sent = [block["id"] for block in blocks if block["type"] == "tool_use"]
        self._open += [(call.id, name) for call, name in zip(calls, sent, strict=True)]

    def _answer(self, result: FunctionExecutionResult) -> None:
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


def conversation_of(messages: Sequence[LLMMessage], turns: Turns | None = None) -> Conversation:
    """Turn messages into a conversation that the API accepts."""
    conversation = Conversation(turns if turns is not None else Turns())
    for message in messages:
        conversation.add(message)
    conversation.finish()
    return conversation
