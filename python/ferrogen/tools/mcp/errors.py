"""Errors of MCP sessions.

The tree::

    FerrogenError
    ├── McpError                 (RuntimeError)     a server refused a request
    │   ├── McpConnectionError   (ConnectionError)  it cannot be reached, or the connection is lost
    │   └── McpTimeoutError      (TimeoutError)     it took too long
    └── MissingDependencyError   the package mcp is not installed
"""

from ferrogen.exceptions import FerrogenError


class McpError(FerrogenError, RuntimeError):
    """An MCP server refused a request, or its response cannot be used."""

    __module__ = "ferrogen.tools.mcp"


class McpConnectionError(McpError, ConnectionError):
    """An MCP server cannot be reached, or the connection was lost during a request."""

    __module__ = "ferrogen.tools.mcp"


class McpTimeoutError(McpError, TimeoutError):
    """An MCP server took too long."""

    __module__ = "ferrogen.tools.mcp"
