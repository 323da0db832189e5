"""Tools: what a model may ask to have run, and how it is told of them."""

from .protocol import StreamTool, Tool
from .schema import ParametersSchema, ToolOverride, ToolSchema

__all__ = ["ParametersSchema", "StreamTool", "Tool", "ToolOverride", "ToolSchema"]
