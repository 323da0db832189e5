"""A model context with memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, List  # noqa: UP035 - upstream's spelling

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen.components.component import Component
from ferrogen.components.model import ComponentModel
from ferrogen.exceptions import ContextLimitError
from ferrogen.memory.content import MemoryContent
from ferrogen.memory.context.compaction import INSTRUCTIONS, Compaction
from ferrogen.memory.context.transcript import (
    ContextEntry,
    ConversationSummary,
    Transcript,
    leading_system_messages,
)
from ferrogen.memory.memory import Memory
from ferrogen.memory.recall import DEFAULT_TEMPLATE, as_message, line_of, query_of
from ferrogen.model_context.context import ChatCompletionContext
from ferrogen.model_context.unbounded import UnboundedChatCompletionContext
from ferrogen.models.client import ChatCompletionClient
from ferrogen.models.messages import LLMMessage, SystemMessage, UserMessage
from ferrogen.models.tokens import count_text

# ruff: noqa: UP006 - annotations of upstream's methods


class CompactionConfig(BaseModel):
    """The config of a `Compaction`."""

    model_client: ComponentModel
    max_tokens: int
    keep_messages: int = 10
    instructions: str = INSTRUCTIONS


class MemoryContextConfig(BaseModel):
    """The config of a `MemoryContext`."""

    context: ComponentModel
    memories: list[ComponentModel] = []
    recall_messages: int = 3
    recall_tokens: int = 500
    template: str = DEFAULT_TEMPLATE
    compaction: CompactionConfig | None = None


class MemoryContextState(BaseModel):
    """The saved state of a `MemoryContext`."""

    transcript: Transcript
    context: dict[str, Any]


class MemoryContext(ChatCompletionContext, Component[MemoryContextConfig]):
    r"""Recalls memories into any other context, and summarizes what becomes too long for it.

    Each time messages are read for a model, the newest ones are the query for the memories. What
    is found is sent as a system message before the newest message of a user, and is not kept.

    With a `Compaction`, a model summarizes old messages. The first system messages, the newest
    and the pinned messages stay, and calls of tools are never split from their results. All
    messages are kept, with the summaries that stand for them.

    Args:
        context: The context that decides which messages are sent; by default all.
        memories: Where to recall from.
        recall_messages: From how many of the newest messages the query is made.
        recall_tokens: The most tokens of recalled items.
        template: The message with recalled items, with ``{memories}`` in their place.
        compaction: When and how old messages are summarized; by default never.

    Raises:
        ContextLimitError: A number is out of range, or the template has no place for items.

    Example:
        ```python
        import asyncio

        from ferrogen.memory import ListMemory, MemoryContent, MemoryContext
        from ferrogen.models import UserMessage


        async def main() -> None:
            likes = MemoryContent(content="Ada likes tea.", mime_type="text/plain")
            context = MemoryContext(memories=ListMemory(memory_contents=[likes]))
            await context.add_message(UserMessage(content="A drink, please.", source="ada"))
            recalled, question = await context.get_messages()
            assert recalled.content == "Relevant memory:\n1. Ada likes tea."
            assert question.content == "A drink, please."


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.memory"

    component_config_schema = MemoryContextConfig
    component_provider_override = "ferrogen.memory.MemoryContext"

    def __init__(
        self,
        context: ChatCompletionContext | None = None,
        memories: Memory | Sequence[Memory] = (),
        *,
        recall_messages: int = 3,
        recall_tokens: int = 500,
        template: str = DEFAULT_TEMPLATE,
        compaction: Compaction | None = None,
    ) -> None:
        if recall_messages < 1 or recall_tokens < 1 or "{memories}" not in template:
            raise ContextLimitError(
                "recall_messages and recall_tokens are at least 1, and a template contains "
                f"{{memories}}; not {recall_messages}, {recall_tokens} and {template!r}"
            )
        super().__init__()
        self._context = UnboundedChatCompletionContext() if context is None else context
        self._memories = [memories] if isinstance(memories, Memory) else list(memories)
        self._recall_messages = recall_messages
        self._recall_tokens = recall_tokens
        self._template = template
        self._compaction = compaction
        self._transcript = Transcript()
        self._has_adopted = False
        self._is_shown = True
        self._lock = asyncio.Lock()

    @property
    def entries(self) -> list[ContextEntry]:
        """All messages with their ids, the oldest first, also those that were summarized."""
        return [entry.model_copy() for entry in self._transcript.entries]

    @property
    def summaries(self) -> list[ConversationSummary]:
        """All summaries, the oldest first; the newest one is sent."""
        return [summary.model_copy(deep=True) for summary in self._transcript.summaries]

    async def add_message(self, message: LLMMessage, *, pinned: bool = False) -> None:
        """Add a message.

        Args:
            message: The message.
            pinned: Whether it is never summarized.
        """
        async with self._lock:
            await self._adopt()
            await self._context.add_message(message)
            self._transcript.append(message, pinned=pinned)

    async def pin(self, id: str, *, pinned: bool = True) -> None:
        """Let a message stay, with the calls or results that belong to it.

        A message that was summarized already is sent again beside the summary.

        Args:
            id: The id of its entry.
            pinned: False to undo it.

        Raises:
            ContextLimitError: There is no such entry.
        """
        async with self._lock:
            await self._adopt()
            if not self._transcript.pin(id, pinned=pinned):
                raise ContextLimitError(f"the context has no entry {id!r}: see entries")
            await self._show()

    async def get_messages(self) -> List[LLMMessage]:
        """Return the messages to send, with what they recall.

        Raises:
            ModelError: Old messages cannot be summarized; the context is not changed.
        """
        async with self._lock:
            await self._adopt()
            if self._compaction is not None and await self._compaction.compact(self._transcript):
                self._is_shown = False
            if not self._is_shown:
                await self._show()
            messages = list(await self._context.get_messages())
        recalled = await self._recall(messages)
        if recalled is not None:
            messages.insert(_place_of_recall(messages), recalled)
        return messages

    async def clear(self) -> None:
        """Forget all messages and summaries; the memories are not changed."""
        async with self._lock:
            await self._context.clear()
            self._transcript = Transcript()
            self._has_adopted = True

    async def save_state(self) -> Mapping[str, Any]:
        """Return messages, pins, summaries and the state of the inner context."""
        async with self._lock:
            await self._adopt()
            state = MemoryContextState(
                transcript=self._transcript, context=dict(await self._context.save_state())
            )
            return state.model_dump(mode="json")

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue with a saved state.

        Raises:
            pydantic.ValidationError: The state is invalid; the context is not changed.
        """
        loaded = MemoryContextState.model_validate(state)
        async with self._lock:
            await self._context.load_state(loaded.context)
            self._transcript = loaded.transcript
            self._has_adopted = True

    async def _adopt(self) -> None:
        """Take over the messages that the inner context had before it was wrapped."""
        if self._has_adopted:
            return
        for message in await self._context.get_messages():
            self._transcript.append(message)
        self._has_adopted = True

    async def _show(self) -> None:
        """Copy the visible messages to the inner context; if cancelled, the next call does."""
        self._is_shown = False
        await self._context.clear()
        for message in self._transcript.visible():
            await self._context.add_message(message)
        self._is_shown = True

    async def _recall(self, messages: Sequence[LLMMessage]) -> SystemMessage | None:
        query = query_of(messages, self._recall_messages)
        if not query.strip():
            return None
        found: list[MemoryContent] = []
        for memory in self._memories:
            found += (await memory.query(query)).results
        _, new = as_message(found, messages, self._template)
        kept: list[MemoryContent] = []
        left = self._recall_tokens
        for content in new:
            left -= count_text(line_of(content)) + 2
            if left < 0:
                break
            kept.append(content)
        return as_message(kept, (), self._template)[0]

    def _to_config(self) -> MemoryContextConfig:
        compaction = self._compaction
        return MemoryContextConfig(
            context=self._context.dump_component(),
            memories=[memory.dump_component() for memory in self._memories],
            recall_messages=self._recall_messages,
            recall_tokens=self._recall_tokens,
            template=self._template,
            compaction=None
            if compaction is None
            else CompactionConfig(
                model_client=compaction.model_client.dump_component(),
                max_tokens=compaction.max_tokens,
                keep_messages=compaction.keep_messages,
                instructions=compaction.instructions,
            ),
        )

    @classmethod
    def _from_config(cls, config: MemoryContextConfig) -> Self:
        given = dict(config)
        given["context"] = ChatCompletionContext.load_component(config.context)
        given["memories"] = [Memory.load_component(each) for each in config.memories]
        if config.compaction is not None:
            settings = dict(config.compaction)
            client = ChatCompletionClient.load_component(settings.pop("model_client"))
            given["compaction"] = Compaction(client, **settings)
        return cls(**given)


def _place_of_recall(messages: Sequence[LLMMessage]) -> int:
    """Return where recalled items stand: before the newest message of a user."""
    for place in range(len(messages) - 1, -1, -1):
        if isinstance(messages[place], UserMessage):
            return place
    return leading_system_messages(messages)
