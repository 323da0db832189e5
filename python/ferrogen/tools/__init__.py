"""Tools, their schemas, and workbenches."""

from .argument_errors import ToolArgumentsError
from .base import BaseTool
from .context import ToolContext, ToolProgress, tool_progress
from .decorator import tool
from .function_tool import FunctionTool
from .killable_tool import KillableFunctionTool
from .protocol import StreamTool, Tool
from .results import ImageResultContent, TextResultContent, ToolResult
from .schema import ParametersSchema, ToolOverride, ToolSchema
from .source_text import allow_source_text
from .stateful import BaseToolWithState
from .static_stream_workbench import StaticStreamWorkbench
from .static_workbench import StaticWorkbench
from .streaming import BaseStreamTool
from .thread_call import tool_call_cancelled
from .workbench import StreamWorkbench, Workbench

__all__ = [
    "BaseStreamTool",
    "BaseTool",
    "BaseToolWithState",
    "FunctionTool",
    "ImageResultContent",
    "KillableFunctionTool",
    "ParametersSchema",
    "StaticStreamWorkbench",
    "StaticWorkbench",
    "StreamTool",
    "StreamWorkbench",
    "TextResultContent",
    "Tool",
    "ToolArgumentsError",
    "ToolContext",
    "ToolOverride",
    "ToolProgress",
    "ToolResult",
    "ToolSchema",
    "Workbench",
    "allow_source_text",
    "tool",
    "tool_call_cancelled",
    "tool_progress",
]
