"""Results from responses of Anthropic's API."""

from __future__ import annotations

from typing import Any

import msgspec

from ferrogen._messaging.function_call import FunctionCall
from ferrogen.models.anthropic.accounting import Account
from ferrogen.models.anthropic.blocks import Block, text_blocks, tool_input
from ferrogen.models.anthropic.events import Message, read_block
from ferrogen.models.results import CreateResult, FinishReasons

_FINISH_REASONS: dict[str, FinishReasons] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "function_calls",
    "refusal": "content_filter",
}


def result_of(message: Message, account: Account, answer_tool: str | None = None) -> CreateResult:
    """Turn an answer into a result.

    Args:
        message: The answer.
        account: Tells what it took.
        answer_tool: The tool whose arguments are the answer's text, if there is one.

    Raises:
        ModelResponseError: A block is not of a block's shape.
    """
    thinking: list[str] = []
    text: list[str] = []
    answers: list[str] = []
    calls: list[FunctionCall] = []
    for content in message.content:
        block = read_block(content)
        if block.type == "text":
            text.append(block.text)
        elif block.type == "thinking":
            thinking.append(block.thinking)
        elif block.type == "tool_use" and block.name == answer_tool:
            answers.append(_arguments(block.input))
        elif block.type == "tool_use":
            calls.append(FunctionCall(block.id, _arguments(block.input), block.name))
    said = "".join(text)
    finish_reason = _FINISH_REASONS.get(message.stop_reason or "", "unknown")
    if calls:
        # What was said beside calls has no other place in a result.
        thoughts, answer = [*thinking, said], None
    else:
        # What was said beside the answer proper is no part of it.
        thoughts, answer = ([*thinking, said], answers[0]) if answers else (thinking, said)
        if finish_reason == "function_calls":
            finish_reason = "stop"
    return CreateResult(
        finish_reason=finish_reason,
        content=calls if answer is None else answer,
        usage=account.of(message.usage, "".join([*thinking, said, *answers, *map(str, calls)])),
        cached=False,
        thought="\n\n".join(thought for thought in thoughts if thought) or None,
    )


def blocks_to_send_back(message: Message, answer_tool: str | None = None) -> list[Block]:
    """Give the content as the API takes it back: without blank text, arguments as objects."""
    blocks: list[Block] = []
    for block in message.content:
        if block["type"] == "text" and not text_blocks(block["text"]):
            continue
        if block["type"] == "tool_use":
            if block["name"] == answer_tool:
                continue
            given = block.get("input")
            blocks.append(
                {**block, "input": tool_input(given) if isinstance(given, str) else given}
            )
        else:
            blocks.append(block)
    return blocks


def _arguments(value: Any) -> str:
    """Give arguments as JSON; those that were streamed are left as the model wrote them."""
    if isinstance(value, str):
        return value or "{}"
    return msgspec.json.encode({} if value is None else value).decode()
