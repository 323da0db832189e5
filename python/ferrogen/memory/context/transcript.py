"""The messages of a conversation with their ids, and the summaries that stand for some."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from pydantic import BaseModel, Field

from ferrogen.model_context.limits import exchange_at
from ferrogen.models.messages import LLMMessage, SystemMessage

SUMMARY_HEADING = "Summary of the earlier conversation:\n"


class ContextEntry(BaseModel):
    """A message of a conversation.

    Example:
        ```python
        from ferrogen.memory import ContextEntry
        from ferrogen.models import UserMessage

        entry = ContextEntry(id="m1", message=UserMessage(content="Hello", source="ada"))
        assert not entry.pinned
        ```
    """

    __module__ = "ferrogen.memory"

    id: str
    """The id, by which summaries name their sources."""
    message: LLMMessage
    """The message."""
    pinned: bool = False
    """Whether the message is always sent."""
    summary: str | None = None
    """The id of the summary that is sent in its place."""


class ConversationSummary(BaseModel):
    """A summary of a part of a conversation.

    Example:
        ```python
        from datetime import datetime, timezone

        from ferrogen.memory import ConversationSummary

        summary = ConversationSummary(
            id="s1",
            text="Ada wants tea.",
            sources=["m1", "m2"],
            created_at=datetime.now(timezone.utc),
        )
        ```
    """

    __module__ = "ferrogen.memory"

    id: str
    """The id."""
    text: str
    """The summary."""
    sources: list[str]
    """The ids of the messages, and of the former summary, that it was made from."""
    created_at: datetime
    """When it was made."""


class Transcript(BaseModel):
    """All messages of a conversation, and all summaries."""

    entries: list[ContextEntry] = Field(default_factory=list)
    summaries: list[ConversationSummary] = Field(default_factory=list)

    def append(self, message: LLMMessage, *, pinned: bool = False) -> ContextEntry:
        """Add a message."""
        entry = ContextEntry(id=f"m{len(self.entries) + 1}", message=message, pinned=pinned)
        self.entries.append(entry)
        return entry

    def visible(self) -> list[LLMMessage]:
        """Return the messages to send, with the newest summary for those it stands for."""
        shown = [entry for entry in self.entries if entry.summary is None or entry.pinned]
        messages = [entry.message for entry in shown]
        if self.summaries:
            text = SUMMARY_HEADING + self.summaries[-1].text
            messages.insert(leading_system_messages(messages), SystemMessage(content=text))
        return messages

    def units(self) -> Iterator[list[ContextEntry]]:
        """Yield the entries in groups that must not be split: calls with their results."""
        messages = [entry.message for entry in self.entries]
        start = 0
        while start < len(messages):
            stop = exchange_at(messages, start).stop
            yield self.entries[start:stop]
            start = stop

    def compactable(self, kept: int) -> list[list[ContextEntry]]:
        """Return the units that a summary may replace, the oldest first.

        Args:
            kept: How many of the newest messages stay, at least.
        """
        units = list(self.units())
        first = leading_system_messages([entry.message for entry in self.entries])
        last, newest = len(units), 0
        while last > 0 and newest < kept:
            last -= 1
            newest += len(units[last])
        system = {entry.id for entry in self.entries[:first]}
        return [
            unit
            for unit in units[: min(last, len(units) - 1)]
            if unit[0].id not in system
            and not any(entry.pinned for entry in unit)
            and unit[0].summary is None
        ]

    def pin(self, identity: str, *, pinned: bool) -> bool:
        """Mark a message, and those that must not be split from it; return whether it exists."""
        for unit in self.units():
            if any(entry.id == identity for entry in unit):
                for entry in unit:
                    entry.pinned = pinned
                return True
        return False


def leading_system_messages(messages: Sequence[LLMMessage]) -> int:
    """Return how many messages at the beginning are system messages."""
    count = 0
    while count < len(messages) and isinstance(messages[count], SystemMessage):
        count += 1
    return count
