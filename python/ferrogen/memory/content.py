"""Content of a memory, and its JSON form."""

import base64
import binascii
from enum import Enum
from typing import Any, Dict, Union  # noqa: UP035 - upstream's spelling

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidatorFunctionWrapHandler,
    field_serializer,
    field_validator,
    model_validator,
)
from typing_extensions import Self

from ferrogen._image import Image


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


# ruff: noqa: UP006, UP007 - annotations are part of the surface that is compared

ContentType = Union[str, bytes, Dict[str, Any], Image]

_DATA_URL = "data:application/octet-stream;base64,"


class MemoryContent(BaseModel):
    """One thing to remember: text, bytes, a dict or an image, with the kind of content.

    In JSON, bytes are written as the text that they are in UTF-8, and read as a string; bytes that
    are not such text are written as a ``data:`` URL, and read as bytes. An image is read as one if
    the kind of content says so.

    Example:
        ```python
        from ferrogen.memory import MemoryContent, MemoryMimeType

        content = MemoryContent(
            content={"user": "ada", "likes": "tea"},
            mime_type=MemoryMimeType.JSON,
            metadata={"since": 1843},
        )
        assert MemoryContent.model_validate_json(content.model_dump_json()) == content
        ```
    """

    __module__ = "ferrogen.memory"

    model_config = ConfigDict(arbitrary_types_allowed=True)

    content: ContentType
    """The content."""

    mime_type: MemoryMimeType | str
    """The kind of content."""

    metadata: Dict[str, Any] | None = None
    """Further data, such as its source or its score, as the memory uses it."""

    @field_serializer("mime_type")
    def serialize_mime_type(self, mime_type: MemoryMimeType | str) -> str:
        """Write the kind of content as its text."""
        return mime_type if isinstance(mime_type, str) else str(mime_type.value)

    @field_serializer("content", mode="wrap", when_used="json")
    def _write_content(self, content: Any, write: SerializerFunctionWrapHandler) -> Any:
        return write(in_text(content))

    @field_validator("content", mode="wrap")
    @classmethod
    def _take_dicts_as_dicts(cls, content: Any, read: ValidatorFunctionWrapHandler) -> Any:
        # Left to itself the union would make an image of every dict that could be one.
        if type(content) is str:
            return content
        if isinstance(content, dict) and all(isinstance(key, str) for key in content):
            return dict(content)
        return read(content)

    @model_validator(mode="after")
    def _read_content(self) -> Self:
        content = self.content
        if isinstance(content, str):
            content = _from_text(content)
        elif isinstance(content, dict) and self._says_it_is_an_image():
            content = _as_image(content)
        # Not an assignment, which a subclass may forbid or have validated again.
        vars(self)["content"] = content
        return self

    def _says_it_is_an_image(self) -> bool:
        return self.serialize_mime_type(self.mime_type).startswith("image/")


def in_text(content: ContentType) -> ContentType:
    """Turn bytes that JSON could not hold into text; anything else stays as it is."""
    if not isinstance(content, bytes) or _is_utf_8(content):
        return content
    return _DATA_URL + base64.b64encode(content).decode("ascii")


def _from_text(text: str) -> ContentType:
    """Undo `in_text`; text that it does not write, however alike, is text."""
    if not text.startswith(_DATA_URL):
        return text
    try:
        content = base64.b64decode(text[len(_DATA_URL) :], validate=True)
    except binascii.Error:
        return text
    return content if in_text(content) == text else text


def _is_utf_8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _as_image(content: Dict[str, Any]) -> ContentType:
    """Read an image as `Image` writes it; other dicts may be about images, too."""
    if content.keys() != {"data"} or not isinstance(content["data"], str):
        return content
    try:
        return Image.from_base64(content["data"])
    except (ValueError, OSError):
        return content
