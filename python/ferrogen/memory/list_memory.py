"""A memory that is a list and returns all its contents, the oldest first."""

from typing import Any, List  # noqa: UP035 - upstream's spelling

from pydantic import BaseModel, Field, SerializerFunctionWrapHandler, field_serializer
from typing_extensions import Self

from ferrogen._core import CancellationToken
from ferrogen.components.component import Component
from ferrogen.memory.content import MemoryContent, in_text
from ferrogen.memory.memory import Memory, MemoryQueryResult, UpdateContextResult
from ferrogen.model_context.context import ChatCompletionContext
from ferrogen.models.messages import SystemMessage

# ruff: noqa: UP006 - annotations are part of the surface that is compared


class ListMemoryConfig(BaseModel):
    """The config of a `ListMemory`."""

    name: str | None = None
    memory_contents: List[MemoryContent] = Field(default_factory=list)

    @field_serializer("memory_contents", mode="wrap")
    def _write_contents(
        self, contents: List[MemoryContent], write: SerializerFunctionWrapHandler
    ) -> Any:
        # A config ends up in JSON, though by way of a dict.
        written = write(contents)
        for one in written:
            one["content"] = in_text(one["content"])
        return written


class ListMemory(Memory, Component[ListMemoryConfig]):
    """A memory in a list, for a few contents that a model always gets.

    It does not search: every `query` returns all contents, and every `update_context`
    adds a message with everything, also if an earlier one is still there. For more than fits into
    a prompt, use a memory that searches.

    Example:
        ```python
        import asyncio

        from ferrogen.memory import ListMemory, MemoryContent
        from ferrogen.model_context import UnboundedChatCompletionContext


        async def main() -> None:
            memory, context = ListMemory("tastes"), UnboundedChatCompletionContext()
            await memory.add(MemoryContent(content="likes tea", mime_type="text/plain"))
            await memory.update_context(context)
            (message,) = await context.get_messages()
            assert "1. likes tea" in message.content


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.memory"

    component_type = "memory"
    component_config_schema = ListMemoryConfig
    component_provider_override = "autogen_core.memory.ListMemory"

    def __init__(
        self, name: str | None = None, memory_contents: List[MemoryContent] | None = None
    ) -> None:
        """Start with contents.

        Args:
            name: The name of this memory; by default ``"default_list_memory"``.
            memory_contents: The first contents; the list itself becomes the memory.
        """
        self._name = name or "default_list_memory"
        self._contents = [] if memory_contents is None else memory_contents

    @property
    def name(self) -> str:
        """The name of this memory."""
        return self._name

    @property
    def content(self) -> List[MemoryContent]:
        """The contents, the oldest first; the list may be changed and replaced."""
        return self._contents

    @content.setter
    def content(self, value: List[MemoryContent]) -> None:
        self._contents = value

    async def update_context(self, model_context: ChatCompletionContext) -> UpdateContextResult:
        """Add one system message that numbers all contents; none if there are none."""
        texts = map(str, (one.content for one in self._contents))
        lines = [f"{number}. {text}" for number, text in enumerate(texts, start=1)]
        if lines:
            heading = "\nRelevant memory content (in chronological order):"
            message = SystemMessage(content="\n".join([heading, *lines, ""]))
            await model_context.add_message(message)
        return UpdateContextResult(memories=self._everything())

    async def query(
        self,
        query: str | MemoryContent = "",
        cancellation_token: CancellationToken | None = None,
        **kwargs: Any,
    ) -> MemoryQueryResult:
        """Return all contents, for any query."""
        return self._everything()

    async def add(
        self, content: MemoryContent, cancellation_token: CancellationToken | None = None
    ) -> None:
        """Append a content."""
        self._contents.append(content)

    async def clear(self) -> None:
        """Remove all contents; a list that was passed in is not changed."""
        self._contents = []

    async def close(self) -> None:
        """Do nothing: a list holds no resources."""

    def _everything(self) -> MemoryQueryResult:
        return MemoryQueryResult(results=self.content)

    def _to_config(self) -> ListMemoryConfig:
        return ListMemoryConfig(memory_contents=self.content, name=self.name)

    @classmethod
    def _from_config(cls, config: ListMemoryConfig) -> Self:
        return cls(**dict(config))
