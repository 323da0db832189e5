"""MCP servers as workbenches, and tools as an MCP server."""

from .callbacks import Elicitation, McpLogRecord
from .errors import McpConnectionError, McpError, McpTimeoutError
from .parameters import StdioServerParams, StreamableHttpServerParams
from .server import McpServer
from .workbench import McpWorkbench

__all__ = [
    "Elicitation",
    "McpConnectionError",
    "McpError",
    "McpLogRecord",
    "McpServer",
    "McpTimeoutError",
    "McpWorkbench",
    "StdioServerParams",
    "StreamableHttpServerParams",
]
