"""The interface of memories."""

from abc import ABC, abstractmethod
from typing import Any, List  # noqa: UP035 - upstream's spelling

from pydantic import BaseModel

from ferrogen._core import CancellationToken
from ferrogen.components.component import ComponentBase
from ferrogen.memory.content import MemoryContent
from ferrogen.model_context.context import ChatCompletionContext

# ruff: noqa: UP006 - annotations are part of the surface that is compared


class MemoryQueryResult(BaseModel):
    """The results of a query.

    Example:
        ```python
        from ferrogen.memory import MemoryContent, MemoryQueryResult

        found = MemoryQueryResult(
            results=[MemoryContent(content="likes tea", mime_type="text/plain")]
        )
        assert len(found.results) == 1
        ```
    """

    __module__ = "ferrogen.memory"

    results: List[MemoryContent]
    """The contents, in the order of the memory's choice."""


class UpdateContextResult(BaseModel):
    """The contents that a memory added to a model's context.

    Example:
        ```python
        from ferrogen.memory import MemoryQueryResult, UpdateContextResult

        nothing = UpdateContextResult(memories=MemoryQueryResult(results=[]))
        assert not nothing.memories.results
        ```
    """

    __module__ = "ferrogen.memory"

    memories: MemoryQueryResult
    """The contents that were added to the context."""


class Memory(ABC, ComponentBase[BaseModel]):
    """Contents that an agent keeps beyond a conversation, and their recall.

    Before an agent asks its model, it lets each of its memories add to the context what the
    memory holds to be of use there (`update_context`). A memory may keep its contents in a list,
    a database or a service, and search them in any way.

    Example:
        ```python
        import asyncio
        from typing import Any

        from ferrogen import CancellationToken
        from ferrogen.memory import (
            Memory,
            MemoryContent,
            MemoryQueryResult,
            UpdateContextResult,
        )
        from ferrogen.model_context import ChatCompletionContext, UnboundedChatCompletionContext
        from ferrogen.models import SystemMessage


        class LatestOnly(Memory):
            latest = MemoryContent(content="nothing yet", mime_type="text/plain")

            async def update_context(
                self, model_context: ChatCompletionContext
            ) -> UpdateContextResult:
                text = str(self.latest.content)
                await model_context.add_message(SystemMessage(content=text))
                return UpdateContextResult(memories=await self.query(""))

            async def query(
                self,
                query: str | MemoryContent,
                cancellation_token: CancellationToken | None = None,
                **kwargs: Any,
            ) -> MemoryQueryResult:
                return MemoryQueryResult(results=[self.latest])

            async def add(
                self, content: MemoryContent, cancellation_token: CancellationToken | None = None
            ) -> None:
                self.latest = content

            async def clear(self) -> None:
                del self.latest

            async def close(self) -> None: ...


        async def main() -> None:
            memory, context = LatestOnly(), UnboundedChatCompletionContext()
            await memory.add(MemoryContent(content="likes tea", mime_type="text/plain"))
            await memory.update_context(context)
            assert [message.content for message in await context.get_messages()] == ["likes tea"]


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.memory"

    component_type = "memory"

    @abstractmethod
    async def update_context(self, model_context: ChatCompletionContext) -> UpdateContextResult:
        """Add relevant contents to a context.

        Args:
            model_context: The context to add the recalled contents to.

        Returns:
            The contents that were added to the context.
        """

    @abstractmethod
    async def query(
        self,
        query: str | MemoryContent,
        cancellation_token: CancellationToken | None = None,
        **kwargs: Any,
    ) -> MemoryQueryResult:
        """Find contents.

        Args:
            query: The subject.
            cancellation_token: Ends the search when it is cancelled.
            **kwargs: Further options of the memory, such as the number of results.
        """

    @abstractmethod
    async def add(
        self, content: MemoryContent, cancellation_token: CancellationToken | None = None
    ) -> None:
        """Remember a content.

        Args:
            content: The content to keep.
            cancellation_token: Gives the attempt up when it is cancelled.
        """

    @abstractmethod
    async def clear(self) -> None:
        """Forget everything."""

    @abstractmethod
    async def close(self) -> None:
        """Release files and connections; the memory is not used afterwards."""
