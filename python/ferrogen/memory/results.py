"""Results of memory queries and context updates."""

from typing import List  # noqa: UP035 - upstream's spelling

from pydantic import BaseModel

from ferrogen.memory.content import MemoryContent

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
