"""Tools: what a model may ask to have run, and how it is told of them."""

from .protocol import StreamTool, Tool
from .results import ImageResultContent, TextResultContent, ToolResult
from .schema import ParametersSchema, ToolOverride, ToolSchema

__all__ = [
    "ImageResultContent",
    "ParametersSchema",
    "StreamTool",
    "TextResultContent",
    "Tool",
    "ToolOverride",
    "ToolResult",
    "ToolSchema",
]
