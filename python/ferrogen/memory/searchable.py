"""Base class of memories that search in namespaces."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen._core import CancellationToken
from ferrogen.components.model import ComponentModel
from ferrogen.exceptions import MemoryContentError
from ferrogen.memory.content import MemoryContent
from ferrogen.memory.embedders.embedder import Embedder
from ferrogen.memory.items import NewItem, Scope
from ferrogen.memory.memory import Memory, MemoryQueryResult, UpdateContextResult
from ferrogen.memory.recall import DEFAULT_TEMPLATE, as_message, query_of, recalled_content
from ferrogen.memory.search import SearchOptions, SearchResult
from ferrogen.model_context.context import ChatCompletionContext


class SearchableMemoryConfig(BaseModel):
    """The part of a config that all memories with searches have."""

    embedder: ComponentModel | None = None
    scope: Scope = Scope()
    search: SearchOptions = SearchOptions()
    recall_messages: int = 3
    template: str = DEFAULT_TEMPLATE

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        embedder = self.embedder
        loaded = None if embedder is None else Embedder.load_component(embedder)
        return {**dict(self), "embedder": loaded}


class SearchableMemory(Memory):
    """Upstream's protocol by `add_many` and `search`.

    Args:
        embedder: Computes vectors.
        scope: The namespace.
        search: How to search, if a search says nothing else.
        recall_messages: From how many of the newest messages `update_context` makes its query.
        template: The message of `update_context`, with ``{memories}`` for the items.

    Raises:
        MemoryContentError: An argument is invalid.
    """

    def __init__(
        self,
        embedder: Embedder | None,
        scope: Scope | None,
        search: SearchOptions | None,
        recall_messages: int,
        template: str,
    ) -> None:
        if "{memories}" not in template or recall_messages < 1:
            raise MemoryContentError(
                f"a template contains {{memories}}, and recall_messages is at least 1; not "
                f"{template!r} and {recall_messages}"
            )
        self._embedder = embedder
        self._scope = scope or Scope()
        self._search = search or SearchOptions()
        self._recall_messages = recall_messages
        self._template = template
        self._is_view = False

    @property
    def scope(self) -> Scope:
        """The namespace."""
        return self._scope

    def scoped(
        self, *, user: str | None = None, agent: str | None = None, conversation: str | None = None
    ) -> Self:
        """Return this memory limited to a namespace; it uses the same connections.

        Closing it does nothing.

        Args:
            user: The id of a user.
            agent: The id or name of an agent.
            conversation: The id of a conversation.

        Raises:
            MemoryScopeError: This memory is limited to another namespace.
        """
        scope = Scope(user=user, agent=agent, conversation=conversation).within(self._scope)
        view = object.__new__(type(self))
        vars(view).update(vars(self))
        view._scope, view._is_view = scope, True
        return view

    def _settings(self) -> dict[str, Any]:
        """Return the fields of a `SearchableMemoryConfig`."""
        return {
            "embedder": None if self._embedder is None else self._embedder.dump_component(),
            "scope": self._scope,
            "search": self._search,
            "recall_messages": self._recall_messages,
            "template": self._template,
        }

    @abstractmethod
    async def add_many(
        self,
        items: Iterable[NewItem | MemoryContent],
        cancellation_token: CancellationToken | None = None,
    ) -> list[str]:
        """Add items, all or none of them, and return their ids."""

    @abstractmethod
    async def search(
        self,
        query: str | MemoryContent,
        *,
        cancellation_token: CancellationToken | None = None,
        **options: Any,
    ) -> list[SearchResult]:
        """Return the items that a search finds, the best first."""

    async def add(
        self,
        content: MemoryContent,
        cancellation_token: CancellationToken | None = None,
        **provenance: Any,
    ) -> None:
        """Remember a content.

        Args:
            content: The content.
            cancellation_token: Prevents it, if it is cancelled before it has begun.
            **provenance: Further arguments of a `NewItem`, such as ``source`` and ``importance``.

        Raises:
            MemoryContentError: It cannot be stored.
            MemoryStoreError: The memory cannot be written.
        """
        try:
            item = NewItem(content=content, **provenance)
        except TypeError as error:
            known = ", ".join(NewItem.__dataclass_fields__)
            raise MemoryContentError(f"an item has {known}: {error}") from error
        await self.add_many([item], cancellation_token)

    async def query(
        self,
        query: str | MemoryContent = "",
        cancellation_token: CancellationToken | None = None,
        **kwargs: Any,
    ) -> MemoryQueryResult:
        """Return the contents that a search finds.

        Score and provenance are in the metadata under ``"memory"``.

        Args:
            query: The text to search for; an empty one finds the newest items.
            cancellation_token: Ends the search when it is cancelled.
            **kwargs: Further arguments of `search`.
        """
        found = await self.search(query, cancellation_token=cancellation_token, **kwargs)
        return MemoryQueryResult(results=[recalled_content(result) for result in found])

    async def update_context(self, model_context: ChatCompletionContext) -> UpdateContextResult:
        """Add a system message with what the newest messages recall.

        A content that a system message of the context has already is not repeated.
        """
        messages = await model_context.get_messages()
        text = query_of(messages, self._recall_messages)
        found = (await self.query(text)).results if text.strip() else []
        message, added = as_message(found, messages, self._template)
        if message is not None:
            await model_context.add_message(message)
        return UpdateContextResult(memories=MemoryQueryResult(results=added))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()


def new_items(items: Iterable[NewItem | MemoryContent]) -> list[NewItem]:
    """Return items to add.

    Raises:
        MemoryContentError: One is neither an item nor a content, or they are not several.
    """
    if not isinstance(items, Iterable):
        raise MemoryContentError(f"add_many needs several items, not {type(items).__name__}")
    return [each if isinstance(each, NewItem) else NewItem(content=each) for each in items]
