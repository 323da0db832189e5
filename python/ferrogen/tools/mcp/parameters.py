"""How MCP servers are reached, with autogen-ext's names and defaults."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field


class StdioServerParams(BaseModel):
    """A server that is a program, and speaks over its standard input and output.

    Example:
        ```python
        from ferrogen.tools.mcp import StdioServerParams

        clock = StdioServerParams(command="mcp-server-time", args=["--local-timezone=UTC"])
        assert clock.read_timeout_seconds == 5
        ```
    """

    __module__ = "ferrogen.tools.mcp"

    type: Literal["StdioServerParams"] = "StdioServerParams"
    command: str
    args: list[str] = Field(default_factory=list)
    env: dict[str, str] | None = None
    """Environment variables, beside a few that are safe to inherit, such as ``PATH``."""
    cwd: str | Path | None = None
    encoding: str = "utf-8"
    encoding_error_handler: Literal["strict", "ignore", "replace"] = "strict"
    read_timeout_seconds: float = 5
    """The most seconds that a request may take."""


class StreamableHttpServerParams(BaseModel):
    """A server that speaks over streamable HTTP.

    Example:
        ```python
        from ferrogen.tools.mcp import StreamableHttpServerParams

        params = StreamableHttpServerParams(url="http://127.0.0.1:8000/mcp")
        assert params.timeout == 30.0
        ```
    """

    __module__ = "ferrogen.tools.mcp"

    type: Literal["StreamableHttpServerParams"] = "StreamableHttpServerParams"
    url: str
    headers: dict[str, Any] | None = None
    timeout: float = 30.0
    """The most seconds that a request may take."""
    sse_read_timeout: float = 300.0
    """The most seconds between two parts of a stream."""
    terminate_on_close: bool = True
    """Whether the session is ended at the server, too."""


McpServerParams = Annotated[
    StdioServerParams | StreamableHttpServerParams, Field(discriminator="type")
]
