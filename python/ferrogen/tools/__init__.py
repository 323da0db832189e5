"""Tools: what a model may ask to have run, and how it is told of them."""

from .base import BaseTool
from .function_tool import FunctionTool
from .protocol import StreamTool, Tool
from .results import ImageResultContent, TextResultContent, ToolResult
from .schema import ParametersSchema, ToolOverride, ToolSchema
from .source_text import allow_source_text
from .stateful import BaseToolWithState
from .streaming import BaseStreamTool
from .thread_call import tool_call_cancelled

__all__ = [
    "BaseStreamTool",
    "BaseTool",
    "BaseToolWithState",
    "FunctionTool",
    "ImageResultContent",
    "ParametersSchema",
    "StreamTool",
    "TextResultContent",
    "Tool",
    "ToolOverride",
    "ToolResult",
    "ToolSchema",
    "allow_source_text",
    "tool_call_cancelled",
]
