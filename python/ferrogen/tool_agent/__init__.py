"""The tool agent, its exceptions, the caller loop, and calls of one response."""

from .agent import ToolAgent
from .caller_loop import tool_agent_caller_loop
from .exceptions import (
    InvalidToolArgumentsException,
    MaxTurnsExceededError,
    ToolException,
    ToolExecutionException,
    ToolNotFoundException,
)
from .workbench_calls import call_tools

__all__ = [
    "InvalidToolArgumentsException",
    "MaxTurnsExceededError",
    "ToolAgent",
    "ToolException",
    "ToolExecutionException",
    "ToolNotFoundException",
    "call_tools",
    "tool_agent_caller_loop",
]
