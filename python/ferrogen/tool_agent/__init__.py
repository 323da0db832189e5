"""Tools behind an agent: whoever has its id sends it calls, and gets the results."""

from .agent import ToolAgent
from .caller_loop import tool_agent_caller_loop
from .exceptions import (
    InvalidToolArgumentsException,
    ToolException,
    ToolExecutionException,
    ToolNotFoundException,
)

__all__ = [
    "InvalidToolArgumentsException",
    "ToolAgent",
    "ToolException",
    "ToolExecutionException",
    "ToolNotFoundException",
    "tool_agent_caller_loop",
]
