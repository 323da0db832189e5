"""Content blocks of Anthropic's API."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

import msgspec

from ferrogen._image import Image
from ferrogen.messaging.function_call import FunctionCall
from ferrogen.models.messages import FunctionExecutionResult

Block: TypeAlias = dict[str, Any]
"""One piece of content, as the API has it in JSON."""

_ID = re.compile(r"[a-zA-Z0-9_-]+")


def text_blocks(text: str | None) -> list[Block]:
    """Write a text; blank text is nothing, since the API refuses it."""
    return [{"type": "text", "text": text}] if text and not text.isspace() else []


def image_block(image: Image) -> Block:
    """Write a picture as PNG."""
    source = {"type": "base64", "media_type": "image/png", "data": image.to_base64()}
    return {"type": "image", "source": source}


def user_blocks(content: str | list[str | Image]) -> list[Block]:
    """Write what a user says, in words and pictures."""
    blocks: list[Block] = []
    for part in [content] if isinstance(content, str) else content:
        blocks += text_blocks(part) if isinstance(part, str) else [image_block(part)]
    return blocks


def tool_use_block(call: FunctionCall, wire_id: str, name: str) -> Block:
    """Write the call of a tool."""
    return {
        "type": "tool_use",
        "id": wire_id,
        "name": name,
        "input": tool_input(call.arguments),
    }


def tool_input(arguments: str) -> dict[str, Any]:
    """Read the arguments of a call; anything but a JSON object is sent back as text.

    The API takes nothing but an object, and the model should see what it wrote.
    """
    try:
        value = msgspec.json.decode(arguments)
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    return {"text": arguments} if arguments.strip() else {}


def tool_result_block(result: FunctionExecutionResult, wire_id: str) -> Block:
    """Write what came of a call."""
    block: Block = {"type": "tool_result", "tool_use_id": wire_id}
    if content := text_blocks(result.content):
        block["content"] = content
    if result.is_error:
        block["is_error"] = True
    return block


def missing_result_block(wire_id: str) -> Block:
    """Write that a call got no result, for the API wants one for each call."""
    said = text_blocks("this call has no result: it was not carried out")
    return {"type": "tool_result", "tool_use_id": wire_id, "content": said, "is_error": True}


def stray_result_blocks(result: FunctionExecutionResult) -> list[Block]:
    """Write a result whose call is not in the conversation as text; as a result it is refused."""
    if not text_blocks(result.content):
        return []
    return text_blocks(f"{result.name} returned: {result.content}")


class UniqueIds:
    """Ids of calls that the API accepts, each used once in a request.

    Those of other services may be empty, have other characters, or be the same in every response.
    """

    def __init__(self) -> None:
        self._used: set[str] = set()

    def unique(self, original: str) -> str:
        """Return an id for the next call."""
        base = original if _ID.fullmatch(original) else f"call_{original.encode().hex()}"
        candidate, number = base, 1
        while candidate in self._used:
            number += 1
            candidate = f"{base}_{number}"
        self._used.add(candidate)
        return candidate
