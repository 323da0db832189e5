"""The tool agent, its exceptions, and the caller loop."""

from .agent import ToolAgent
from .caller_loop import tool_agent_caller_loop
from .exceptions import (
    InvalidToolArgumentsException,
    MaxTurnsExceededError,
    ToolException,
    ToolExecutionException,
    ToolNotFoundException,
)

__all__ = [
    "InvalidToolArgumentsException",
    "MaxTurnsExceededError",
    "ToolAgent",
    "ToolException",
    "ToolExecutionException",
    "ToolNotFoundException",
    "tool_agent_caller_loop",
]
