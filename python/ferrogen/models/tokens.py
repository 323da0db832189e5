"""Token estimates without a tokenizer."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from math import ceil
from typing import Any

from ferrogen._image import Image
from ferrogen.messaging.function_call import FunctionCall
from ferrogen.models.messages import (
    AssistantMessage,
    FunctionExecutionResultMessage,
    LLMMessage,
    UserMessage,
)
from ferrogen.models.registry import known_model
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema

# Tokenizers first part a text like this, and then split what they have no token for.
_PARTS = re.compile(
    r"""
      (?P<word>  (?:_|[^\w\r\n])?(?:[A-Z]?[a-z]+|[A-Z]+) )
    | (?P<digits>[ ]?[0-9]+ )
    | (?P<dense> [\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]+ )
    | (?P<script>[ ]?[^\W\d_a-zA-Z\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]+ )
    | (?P<space> \s+ )
    | (?P<sign>  [ ]?[^\w\s]+ | _+ )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)

_FOR_A_MESSAGE = 4
_FOR_A_CALL = 8
_FOR_A_TOOL = 8
_BEFORE_THE_ANSWER = 3
_ROOM_FOR_AN_UNKNOWN_IMAGE = 765


def count_text(text: str) -> int:
    """Estimate how many tokens a text has.

    Args:
        text: Any text.

    Returns:
        The estimate; see `count_tokens` for how good it is.
    """
    return ceil(sum(_weight(part) for part in _PARTS.finditer(text)))


def count_tokens(
    messages: Sequence[LLMMessage], tools: Sequence[Tool | ToolSchema] = (), model: str = ""
) -> int:
    """Estimate how many tokens of its context a request takes.

    No tokenizer is asked, because those of most models have to be downloaded.

    Args:
        messages: The messages of the request.
        tools: The tools that the model may call.
        model: Who is asked; pictures take more room in some models than in others.

    Returns:
        The estimate.

    Example:
        ```python
        from ferrogen.models import UserMessage
        from ferrogen.models.tokens import count_tokens

        question = UserMessage(content="What is the capital of Piedmont?", source="me")
        assert 10 <= count_tokens([question], model="gpt-4o") <= 20
        ```
    """
    count = sum(_of_message(message, model) for message in messages)
    count += sum(_FOR_A_TOOL + count_text(_as_text(tool)) for tool in tools)
    return count + _BEFORE_THE_ANSWER


def _of_message(message: LLMMessage, model: str) -> int:
    if isinstance(message, FunctionExecutionResultMessage):
        return sum(_FOR_A_MESSAGE + count_text(result.content) for result in message.content)
    count = _FOR_A_MESSAGE
    if isinstance(message, UserMessage):
        count += count_text(message.source)
    if isinstance(message, AssistantMessage) and message.thought:
        count += count_text(message.thought)
    if isinstance(message.content, str):
        return count + count_text(message.content)
    return count + sum(_of_part(part, model) for part in message.content)


def _of_part(part: str | Image | FunctionCall, model: str) -> int:
    if isinstance(part, str):
        return count_text(part)
    if isinstance(part, FunctionCall):
        return _FOR_A_CALL + count_text(part.name) + count_text(part.arguments)
    entry = known_model(model)
    provider = entry.provider if entry is not None else ""
    width, height = part.image.size
    if provider == "anthropic":
        return min(1600, ceil(width * height / 750))
    if provider == "google":
        small = width <= 384 and height <= 384
        return 258 * (1 if small else ceil(width / 768) * ceil(height / 768))
    if provider == "openai":
        return _tiles(width, height)
    return max(_ROOM_FOR_AN_UNKNOWN_IMAGE, _tiles(width, height))


def _tiles(width: int, height: int) -> int:
    """Count as OpenAI does: a picture is made smaller, and then cut into squares."""
    shrink = min(1.0, 2048 / max(width, height, 1))
    width, height = int(width * shrink), int(height * shrink)
    shrink = min(1.0, 768 / max(min(width, height), 1))
    width, height = int(width * shrink), int(height * shrink)
    return 85 + 170 * ceil(width / 512) * ceil(height / 512)


def _as_text(tool: Tool | ToolSchema) -> str:
    schema: Any = tool if isinstance(tool, dict) else tool.schema
    return json.dumps(schema, default=str)


def _weight(part: re.Match[str]) -> float:
    kind, text = part.lastgroup, part.group()
    size = len(text.lstrip(" ")) if kind != "space" else len(text)
    if kind == "word":
        # Common words are one token, with the space before them and sometimes with a sign; long
        # ones are put together from pieces.
        sign = 0.0 if text[0] == " " or text[0].isalpha() else 0.5
        return sign + (1.0 if size <= 5 else 1.0 + (size - 5) / 7)
    if kind == "digits":
        return ceil(size / 3)
    if kind == "dense":
        return size * 1.05
    if kind == "script":
        return 1.0 if size <= 1 else 1.0 + (size - 1) / 2.3
    if kind == "space":
        return 0.0 if text == " " else 1.0
    if kind == "sign":
        if text.isascii():
            return ceil(size / 3)
        return max(1.0, len(text.strip().encode(errors="replace")) / 2)
    return 1.0
