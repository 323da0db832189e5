"""Separation of reasoning and content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ferrogen.models.model_info import ModelFamily

OPENING, CLOSING = "<think>", "</think>"


class ReasoningMarks:
    """Sets marks around the pieces of reasoning in a stream, so that readers can separate them."""

    def __init__(self) -> None:
        self._inside = False

    def reasoning(self, piece: str) -> str:
        """Give a piece of reasoning as it is shown."""
        if self._inside:
            return piece
        self._inside = True
        return OPENING + piece

    def end(self) -> str:
        """Return the text to show when the reasoning ends; none, if there was none."""
        was_inside, self._inside = self._inside, False
        return CLOSING if was_inside else ""


def without_reasoning(text: str, family: str) -> tuple[str | None, str]:
    """Take the reasoning off the beginning of a text.

    Args:
        text: The text of the model.
        family: Its family. The templates of R1 open the reasoning themselves, so that only its
            end is in the text.

    Returns:
        The reasoning, or ``None`` if the text has none, and the rest.
    """
    begins = text.lstrip().startswith(OPENING)
    if CLOSING not in text or not (begins or family == ModelFamily.R1):
        return None, text
    thought, _, rest = text.partition(CLOSING)
    return thought.lstrip().removeprefix(OPENING).strip(), rest.strip()


# DeepSeek, Kimi and vLLM; OpenRouter and Groq; Gemini; LiteLLM. Services refuse what they do not
# know, so that other fields are not sent back.
_TEXTS = ("reasoning_content", "reasoning")
_OBJECTS = ("extra_content", "provider_specific_fields")
_LISTS = ("reasoning_details", "thinking_blocks")
_SIGNATURES = ("thought_signature", "thoughtSignature", "reasoning_signature")
_CONTINUED = ("text", "summary", "data", "thinking", "signature")


def keep_reasoning(data: dict[str, Any], message: Mapping[str, Any], *, repeated: bool) -> None:
    """Take over the fields of a message, or of the next piece of one.

    Args:
        data: The fields so far.
        message: The message, or the piece.
        repeated: Whether it is a whole message, which replaces what came before.
    """
    for name in _TEXTS:
        if isinstance(value := message.get(name), str) and value:
            data[name] = value if repeated else data.get(name, "") + value
    for name in _OBJECTS:
        if isinstance(value := message.get(name), dict) and value:
            data[name] = value if repeated else {**data.get(name, {}), **value}
    for name in _LISTS:
        if isinstance(value := message.get(name), list) and value:
            data[name] = [] if repeated else data.get(name, [])
            for block in value:
                _add_block(data[name], block)
    for name in _SIGNATURES:
        if value := message.get(name):
            data[name] = value


def _add_block(blocks: list[Any], block: Any) -> None:
    """Add a block, or continue the one that it is a piece of."""
    last = blocks[-1] if blocks else None
    if not isinstance(block, dict) or not isinstance(last, dict) or not _continues(last, block):
        blocks.append(dict(block) if isinstance(block, dict) else block)
        return
    for name, value in block.items():
        if name in _CONTINUED and isinstance(value, str) and isinstance(last.get(name), str):
            last[name] += value
        elif value is not None:
            last[name] = value


def _continues(last: Mapping[str, Any], block: Mapping[str, Any]) -> bool:
    if last.get("type") != block.get("type") or last.get("signature"):
        return False
    if "index" in block or "index" in last:
        return bool(last.get("index") == block.get("index"))
    return not (last.get("id") and block.get("id") and last["id"] != block["id"])
