"""Text, reasoning and refusal in the content of a message, in all forms that services use."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from ferrogen.exceptions import ModelResponseError
from ferrogen.telemetry.names import ROOT_LOGGER_NAME

_LOG = logging.getLogger(f"{ROOT_LOGGER_NAME}.models")
_REASONING_PARTS = ("thinking", "reasoning", "reasoning_text", "summary_text", "thought")
# The first that has a text holds: services that rename theirs send both for a time.
_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
_CALL_PARTS = ("tool_use", "tool_call", "function_call")
_KNOWN_PARTS = (
    *("text", "output_text", "refusal", "str", *_REASONING_PARTS),
    *("redacted_thinking", "reasoning.encrypted", *_CALL_PARTS),
)


class Content(NamedTuple):
    """The content of a message, or of a piece of one."""

    thought: str
    text: str
    refusal: str


def content_of(message: Mapping[str, Any], warned: set[str]) -> Content:
    """Read a message.

    A part of an unknown kind is kept if it has a text, and else skipped with a warning in the log.

    Args:
        message: The message, or a piece of one.
        warned: The kinds that a warning was logged for.

    Raises:
        ModelResponseError: The content is neither text nor parts.
    """
    refusal = message.get("refusal")
    texts = {"thought": _reasoning(message), "text": "", "refusal": ""}
    texts["refusal"] = refusal if isinstance(refusal, str) else ""
    content = message.get("content")
    if isinstance(content, str):
        texts["text"] = content
    elif isinstance(content, (list, dict)):
        for part in content if isinstance(content, list) else [content]:
            texts[_kind(part)] += _joined(part)
            if not _joined(part):
                _warn(part, warned)
    elif content is None:
        audio = message.get("audio")
        texts["text"] = _joined(audio.get("transcript")) if isinstance(audio, dict) else ""
    else:
        raise ModelResponseError(
            f"the service's response has content of an unknown kind: {content!r:.200}"
        )
    return Content(**texts)


def calls_in(content: Any) -> list[dict[str, Any]]:
    """Return the calls among the parts of a content, where some services put them."""
    parts = content if isinstance(content, list) else []
    return [
        {
            "id": part.get("id"),
            "name": part.get("name"),
            "arguments": part.get("input", part.get("arguments")),
        }
        for part in parts
        if isinstance(part, dict) and part.get("type") in _CALL_PARTS
    ]


def _kind(part: Any) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    return "thought" if kind in _REASONING_PARTS else "refusal" if kind == "refusal" else "text"


def _warn(part: Any, warned: set[str]) -> None:
    kind = str(part.get("type")) if isinstance(part, dict) else type(part).__name__
    if kind not in warned and kind not in _KNOWN_PARTS:
        warned.add(kind)
        _LOG.warning("a part of a model's response is skipped: its kind %r is unknown", kind)


def _reasoning(message: Mapping[str, Any]) -> str:
    for name in _REASONING_FIELDS:
        if text := _joined(message.get(name)):
            return text
    return ""


def _joined(value: Any) -> str:
    """Return the text in a value: itself, in its fields, or in its parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(_joined(part) for part in value)
    if isinstance(value, dict):
        names = ("text", "value", "thinking", "reasoning", "summary", "content", "refusal")
        return next((text for name in names if (text := _joined(value.get(name)))), "")
    return ""
