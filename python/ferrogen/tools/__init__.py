"""Tools, their schemas, and workbenches."""

from .argument_errors import ToolArgumentsError
from .base import BaseTool
from .context import ToolContext, ToolProgress, tool_progress
from .decorator import tool
from .function_tool import FunctionTool
from .guarding import (
    Allow,
    Approval,
    ApprovalError,
    ApprovalRequired,
    Ask,
    AuditError,
    AuditLog,
    AuditReport,
    Change,
    Decision,
    Deny,
    Guard,
    Spent,
    ToolBudgetError,
    ToolCall,
    ToolDeniedError,
    ToolRefusedError,
    verify_audit_log,
)
from .killable_tool import KillableFunctionTool
from .pipelines import (
    Condition,
    First,
    Input,
    Output,
    Pipeline,
    PipelineError,
    PipelineStepError,
    Step,
)
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
    "Allow",
    "Approval",
    "ApprovalError",
    "ApprovalRequired",
    "Ask",
    "AuditError",
    "AuditLog",
    "AuditReport",
    "BaseStreamTool",
    "BaseTool",
    "BaseToolWithState",
    "Change",
    "Condition",
    "Decision",
    "Deny",
    "First",
    "FunctionTool",
    "Guard",
    "ImageResultContent",
    "Input",
    "KillableFunctionTool",
    "Output",
    "ParametersSchema",
    "Pipeline",
    "PipelineError",
    "PipelineStepError",
    "Spent",
    "StaticStreamWorkbench",
    "StaticWorkbench",
    "Step",
    "StreamTool",
    "StreamWorkbench",
    "TextResultContent",
    "Tool",
    "ToolArgumentsError",
    "ToolBudgetError",
    "ToolCall",
    "ToolContext",
    "ToolDeniedError",
    "ToolOverride",
    "ToolProgress",
    "ToolRefusedError",
    "ToolResult",
    "ToolSchema",
    "Workbench",
    "allow_source_text",
    "tool",
    "tool_call_cancelled",
    "tool_progress",
    "verify_audit_log",
]
