"""Recall: the query that a conversation makes, and recalled items as a message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ferrogen.exceptions import MemoryQueryError
from ferrogen.memory.content import MemoryContent
from ferrogen.memory.search import SearchResult
from ferrogen.memory.sql.encoding import RECALL_KEY
from ferrogen.models.messages import (
    FunctionExecutionResultMessage,
    LLMMessage,
    SystemMessage,
    UserMessage,
)

DEFAULT_TEMPLATE = "Relevant memory:\n{memories}"
"""The message with recalled items; ``{memories}`` is a line for each."""


def query_of(messages: Sequence[LLMMessage], count: int) -> str:
    """Return the text of the newest messages of users, agents and tools.

    Args:
        messages: The conversation.
        count: How many messages.
    """
    spoken = [message for message in messages if not isinstance(message, SystemMessage)]
    return "\n".join(filter(None, map(text_of, spoken[-count:])))


def query_text(query: str | MemoryContent) -> str:
    """Return the text of a query.

    Raises:
        MemoryQueryError: It is neither text nor a content.
    """
    if isinstance(query, str):
        return query
    if not isinstance(query, MemoryContent):
        raise MemoryQueryError(f"a query is text or a MemoryContent, not {type(query).__name__}")
    if isinstance(query.content, str):
        return query.content
    if isinstance(query.content, dict):
        return " ".join(str(value) for value in query.content.values())
    return ""


def text_of(message: LLMMessage) -> str:
    """Return the text of a message, without pictures and calls."""
    if isinstance(message, FunctionExecutionResultMessage):
        return "\n".join(result.content for result in message.content)
    if isinstance(message.content, str):
        return message.content
    if isinstance(message, UserMessage):
        return "\n".join(part for part in message.content if isinstance(part, str))
    return ""


def recalled_content(result: SearchResult) -> MemoryContent:
    """Return the content of a result, with score and provenance in its metadata."""
    item = result.item
    provenance: dict[str, Any] = {
        "id": item.id,
        "version": item.version,
        "score": result.score,
        "parts": dict(result.parts),
        "source": item.source,
        "message_id": item.message_id,
        "created_at": item.created_at.isoformat(),
        **item.scope.levels(),
    }
    metadata = {**(item.content.metadata or {}), RECALL_KEY: provenance}
    return item.content.model_copy(update={"metadata": metadata})


def line_of(content: MemoryContent) -> str:
    """Return a content as a line of text for a model."""
    value = content.content
    if isinstance(value, (str, dict)):
        return str(value)
    found = (content.metadata or {}).get("description")
    return str(found) if found else f"({content.serialize_mime_type(content.mime_type)})"


def as_message(
    contents: Sequence[MemoryContent], messages: Sequence[LLMMessage], template: str
) -> tuple[SystemMessage | None, list[MemoryContent]]:
    """Return a message with contents that a conversation does not have yet, and those contents.

    Args:
        contents: The recalled contents.
        messages: The conversation, whose system messages may have some of it already.
        template: The text of the message.
    """
    known = {
        line.lstrip("0123456789. ")
        for message in messages
        if isinstance(message, SystemMessage)
        for line in message.content.split("\n")
    }
    new = [each for each in contents if not _lines(line_of(each)) <= known]
    if not new:
        return None, []
    lines = [f"{number}. {line_of(each)}" for number, each in enumerate(new, start=1)]
    text = template.replace("{memories}", "\n".join(lines))
    return SystemMessage(content=text), new


def _lines(text: str) -> set[str]:
    return {line.lstrip("0123456789. ") for line in text.split("\n")}
