"""The content types of memories."""

from enum import Enum


class MemoryMimeType(Enum):
    """The kinds of content that every memory knows; others are plain strings.

    A member equals its text, so that it does not matter whether a content was made with the one
    or read from JSON with the other.

    Example:
        ```python
        from ferrogen.memory import MemoryContent, MemoryMimeType

        note = MemoryContent(content="likes tea", mime_type="text/plain")
        assert note.mime_type == MemoryMimeType.TEXT
        ```
    """

    __module__ = "ferrogen.memory"

    TEXT = "text/plain"
    JSON = "application/json"
    MARKDOWN = "text/markdown"
    IMAGE = "image/*"
    BINARY = "application/octet-stream"

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, str) and self.value == other)

    def __hash__(self) -> int:
        return hash(self.value)
