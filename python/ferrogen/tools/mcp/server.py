"""Tools as an MCP server, over standard input and output or streamable HTTP."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ferrogen._core import CancellationToken
from ferrogen.tools.call_log import LogSink
from ferrogen.tools.context import ToolProgress, tool_progress
from ferrogen.tools.function_tool import FunctionTool
from ferrogen.tools.guarding.wrapping import run_tool
from ferrogen.tools.mcp import sdk
from ferrogen.tools.mcp.log_levels import LogLevels, level_name, log_sink
from ferrogen.tools.protocol import Tool
from ferrogen.tools.results import ImageResultContent, ToolResult, failed
from ferrogen.tools.schema import ToolSchema
from ferrogen.tools.static_workbench import to_result
from ferrogen.tools.workbench import Workbench

Served = Workbench | Sequence[Tool | Callable[..., Any]]


class McpServer:
    """Serves tools to MCP clients; needs the extra ``mcp``.

    Calls pass the guards, as all calls do. Progress that a tool reports goes to the client, as does
    what it logs by ``ToolContext.logger``, from the level on that the client has set, by default
    ``info``. A client that cancels a call cancels the tool.

    Args:
        tools: Tools, functions with docstrings, or a workbench, which is started and stopped.
        name: The name of the server.
        version: The version of the server.
        instructions: How the tools are used, for models.

    Raises:
        ToolSchemaError: A function cannot be a tool.
        ValueError: Two tools have one name.

    Example:
        ```python
        from ferrogen.tools import tool
        from ferrogen.tools.mcp import McpServer


        @tool
        async def add(a: int, b: int) -> int:
            '''Add two numbers.'''
            return a + b


        server = McpServer([add], "calculator")
        # asyncio.run(server.serve_stdio()), or on the command line: ferrogen mcp serve module:add
        ```
    """

    __module__ = "ferrogen.tools.mcp"

    def __init__(
        self,
        tools: Served,
        name: str = "ferrogen",
        *,
        version: str = "",
        instructions: str | None = None,
    ) -> None:
        self._workbench = tools if isinstance(tools, Workbench) else None
        listed = [] if isinstance(tools, Workbench) else [_tool(each) for each in tools]
        self._tools = {tool.name: tool for tool in listed}
        if len(self._tools) != len(listed):
            raise ValueError(f"two tools have one name: {sorted(tool.name for tool in listed)}")
        self._name, self._version, self._instructions = name, version, instructions
        self._log_levels = LogLevels()

    async def serve_stdio(self) -> None:
        """Serve one client over standard input and output, until it closes the input.

        Output that the tools print goes to the standard error.

        Raises:
            MissingDependencyError: The package mcp is not installed.
        """
        server = self._server()
        async with self._started(), _standard_streams() as (reader, writer):
            await server.run(reader, writer, server.create_initialization_options())

    def http_app(self, path: str = "/mcp") -> Any:
        """Return an ASGI application that serves clients over streamable HTTP.

        Requests from other hosts than this one are refused, unless a server in front of it sets
        the header ``Host``.

        Args:
            path: Where it serves.

        Raises:
            MissingDependencyError: The package mcp is not installed.
        """
        starlette = sdk.sdk("starlette.applications").Starlette
        route = sdk.sdk("starlette.routing").Route
        security = sdk.sdk("mcp.server.transport_security").TransportSecuritySettings(
            enable_dns_rebinding_protection=True,
            allowed_hosts=["127.0.0.1:*", "localhost:*", "[::1]:*"],
            allowed_origins=["http://127.0.0.1:*", "http://localhost:*", "http://[::1]:*"],
        )
        manager = sdk.sdk("mcp.server.streamable_http_manager").StreamableHTTPSessionManager(
            app=self._server(), security_settings=security
        )

        class Application:
            async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
                await manager.handle_request(scope, receive, send)

        @asynccontextmanager
        async def lifespan(_: Any) -> Any:
            async with self._started(), manager.run():
                yield

        return starlette(routes=[route(path, Application())], lifespan=lifespan)

    async def serve_http(self, host: str = "127.0.0.1", port: int = 8000) -> None:
        """Serve clients over streamable HTTP, until the process is interrupted.

        Args:
            host: The address to listen on.
            port: The port.
        """
        uvicorn = sdk.sdk("uvicorn")
        config = uvicorn.Config(self.http_app(), host=host, port=port, log_level="warning")
        await uvicorn.Server(config).serve()

    @asynccontextmanager
    async def _started(self) -> Any:
        if self._workbench is None:
            yield
            return
        async with self._workbench:
            yield

    async def _list(self) -> list[dict[str, Any]]:
        if self._workbench is not None:
            schemas = await self._workbench.list_tools()
        else:
            schemas = [tool.schema for tool in self._tools.values()]
        return [_described(schema) for schema in schemas]

    async def _call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        report: Callable[[ToolProgress], Any],
        log_level: int,
        send_log: Callable[[str, str, str], Any],
    ) -> dict[str, Any]:
        """Call a tool; reports of its progress and log records are sent before the result."""
        token, reports = CancellationToken(), set[asyncio.Future[Any]]()

        def listen(progress: ToolProgress) -> None:
            reports.add(asyncio.ensure_future(report(progress)))

        def log(level: int, text: str) -> None:
            reports.add(asyncio.ensure_future(send_log(level_name(level), text, name)))

        with tool_progress(listen), log_sink(LogSink(log_level, log)):
            try:
                if self._workbench is not None:
                    result = await self._workbench.call_tool(name, arguments, token)
                else:
                    result = await self._run(name, arguments, token)
            except asyncio.CancelledError:
                token.cancel()
                raise
        await asyncio.sleep(0)  # reports of a thread come by the event loop
        await asyncio.gather(*reports, return_exceptions=True)
        return _written(result)

    async def _run(
        self, name: str, arguments: Mapping[str, Any], token: CancellationToken
    ) -> ToolResult:
        tool = self._tools.get(name)
        if tool is None:
            return failed(name, LookupError(f"there is no tool {name}"))
        try:
            value = await run_tool(tool, arguments, token, None)
            return to_result(name, tool, value)
        except Exception as error:  # noqa: BLE001 - the client gets it
            return failed(name, error)

    def _server(self) -> Any:
        kind = sdk.sdk("mcp.server.lowlevel").Server
        if sdk.is_first_major():
            return self._server_of_first_major(kind)

        async def list_tools(context: Any, params: Any) -> Any:
            return sdk.of_wire("ListToolsResult", {"tools": await self._list()})

        async def call_tool(context: Any, params: Any) -> Any:
            async def report(progress: ToolProgress) -> None:
                await context.session.report_progress(
                    progress.done, progress.total, progress.message or None
                )

            result = await self._call(
                params.name,
                params.arguments or {},
                report,
                self._log_levels.of_request(context.request, context.meta),
                sdk.without_warnings(context.session.send_log_message),
            )
            return sdk.of_wire("CallToolResult", result)

        async def set_level(context: Any, params: Any) -> Any:
            self._log_levels.set(context.request, params.level)
            return sdk.of_wire("EmptyResult", {})

        # Newer clients say it with each request.
        return sdk.without_warnings(kind)(
            self._name,
            version=self._version,
            instructions=self._instructions,
            on_list_tools=list_tools,
            on_call_tool=call_tool,
            on_set_logging_level=set_level,
        )

    def _server_of_first_major(self, kind: Any) -> Any:
        server = kind(self._name, version=self._version or None, instructions=self._instructions)

        async def list_tools() -> Any:
            return [sdk.of_wire("Tool", tool) for tool in await self._list()]

        async def call_tool(name: str, arguments: Mapping[str, Any]) -> Any:
            context = server.request_context
            token = None if context.meta is None else context.meta.progressToken

            async def report(progress: ToolProgress) -> None:
                if token is not None:
                    await context.session.send_progress_notification(
                        token,
                        progress.done,
                        progress.total,
                        progress.message or None,
                        str(context.request_id),
                    )

            async def send_log(level: str, text: str, logger: str) -> None:
                request = str(context.request_id)
                await context.session.send_log_message(level, text, logger, request)

            level = self._log_levels.of_request(context.request, None)
            result = await self._call(name, arguments, report, level, send_log)
            return sdk.of_wire("CallToolResult", result)

        async def set_level(level: str) -> None:
            self._log_levels.set(server.request_context.request, level)

        server.set_logging_level()(set_level)
        server.list_tools()(list_tools)
        server.call_tool(validate_input=False)(call_tool)
        return server


def _tool(given: Tool | Callable[..., Any]) -> Tool:
    if isinstance(given, Tool):
        return given
    if callable(given):
        return FunctionTool(given)
    raise TypeError(f"{given!r} is not a tool, and not a function")


def _described(schema: ToolSchema) -> dict[str, Any]:
    parameters: Any = schema.get("parameters", {"type": "object", "properties": {}})
    return {
        "name": schema["name"],
        "description": schema.get("description", ""),
        "inputSchema": dict(parameters),
    }


def _written(result: ToolResult) -> dict[str, Any]:
    content = []
    for part in result.result:
        if isinstance(part, ImageResultContent):
            data = part.content.to_base64()
            content.append({"type": "image", "data": data, "mimeType": "image/png"})
        else:
            content.append({"type": "text", "text": part.content})
    return {"content": content, "isError": result.is_error}


@asynccontextmanager
async def _standard_streams() -> Any:
    """Serve on the standard input and output, which are others from then on.

    They are not restored: what was printed can still be in a buffer.
    """
    import os
    import sys
    from io import TextIOWrapper

    import anyio

    stdio = sdk.sdk("mcp.server.stdio")
    sys.stdout.flush()
    given, wanted = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    reader = TextIOWrapper(os.fdopen(given, "rb"), encoding="utf-8", errors="replace")
    writer = TextIOWrapper(os.fdopen(wanted, "wb"), encoding="utf-8")
    async with stdio.stdio_server(anyio.wrap_file(reader), anyio.wrap_file(writer)) as streams:
        yield streams
