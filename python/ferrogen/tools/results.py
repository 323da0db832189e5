"""Results of tool calls of a workbench."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ferrogen._image import Image


class TextResultContent(BaseModel):
    """A part of a result that is text.

    Example:
        ```python
        from ferrogen.tools import TextResultContent

        assert TextResultContent(content="42").type == "TextResultContent"
        ```
    """

    __module__ = "ferrogen.tools"

    type: Literal["TextResultContent"] = "TextResultContent"
    content: str


class ImageResultContent(BaseModel):
    """A part of a result that is an image."""

    __module__ = "ferrogen.tools"

    type: Literal["ImageResultContent"] = "ImageResultContent"
    content: Image


ResultContent = Annotated[TextResultContent | ImageResultContent, Field(discriminator="type")]


class ToolResult(BaseModel):
    """The result of a tool call.

    Example:
        ```python
        from ferrogen.tools import TextResultContent, ToolResult

        result = ToolResult(name="add", result=[TextResultContent(content="3")])
        assert result.to_text() == "3"
        ```
    """

    __module__ = "ferrogen.tools"

    type: Literal["ToolResult"] = "ToolResult"
    name: str
    result: list[ResultContent]
    is_error: bool = False

    def to_text(self, replace_image: str | None = None) -> str:
        """Write the parts as lines of text.

        Args:
            replace_image: The text in place of an image; if not given, the image in base64.
        """
        return "\n".join(_text(part, replace_image) for part in self.result)


def _text(part: TextResultContent | ImageResultContent, replace_image: str | None) -> str:
    if isinstance(part, TextResultContent):
        return part.content
    return f"[Image: {part.content.to_base64()}]" if replace_image is None else replace_image


def sendable(text: str) -> str:
    """Escape lone surrogates, as some names of files have: no service accepts them."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def failed(name: str, error: Exception) -> ToolResult:
    """Return the result of a call that failed."""
    text = TextResultContent(content=sendable(_text_of(error)))
    return ToolResult(name=name, result=[text], is_error=True)


def _text_of(error: BaseException) -> str:
    """Return the texts of an error; of a group, also one of the package for 3.10, each one's."""
    members: object = getattr(error, "exceptions", None)
    if isinstance(members, (tuple, list)) and members:
        return "\n".join(_text_of(member) for member in members)
    return str(error).strip() or type(error).__name__
