"""The MCP workbench: the tools, resources and prompts of an MCP server."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, Field, TypeAdapter
from typing_extensions import Self

from ferrogen._core import CancellationToken
from ferrogen.components.component import Component
from ferrogen.components.model import ComponentModel
from ferrogen.tools.cancellation import result_of as awaited
from ferrogen.tools.context import ToolContext
from ferrogen.tools.mcp import sdk
from ferrogen.tools.mcp.callbacks import OnElicitation, OnLog, Questions, make_callbacks
from ferrogen.tools.mcp.parameters import (
    McpServerParams,
    StdioServerParams,
    StreamableHttpServerParams,
)
from ferrogen.tools.mcp.results import result_of, schema_of
from ferrogen.tools.mcp.session import McpSession
from ferrogen.tools.results import ToolResult, failed
from ferrogen.tools.schema import ToolOverride, ToolSchema
from ferrogen.tools.static_workbench import names_behind, overridden
from ferrogen.tools.workbench import Workbench

if TYPE_CHECKING:
    from ferrogen.models.client import ChatCompletionClient

_ValueT = TypeVar("_ValueT")


class McpWorkbenchConfig(BaseModel):
    """The config of a `McpWorkbench`."""

    server_params: McpServerParams
    tool_overrides: dict[str, ToolOverride] = Field(default_factory=dict)
    model_client: ComponentModel | dict[str, Any] | None = None


class McpWorkbenchState(BaseModel):
    """The state of a `McpWorkbench`, which is at the server."""

    type: Literal["McpWorkBenchState"] = "McpWorkBenchState"


class McpWorkbench(Workbench, Component[McpWorkbenchConfig]):
    """The tools of an MCP server, for agents; needs the extra ``mcp``.

    The first call starts it, if ``async with`` or `start` did not. A lost connection is opened
    again, with growing delays; the request that was being made fails. A program ends when the
    workbench stops, and when this process ends, however it does, with all that it has started.

    Args:
        server_params: How the server is reached; those of autogen-ext do, too.
        tool_overrides: Other names and descriptions, under the tools' own names.
        model_client: Responds to requests of the server for a model's response ("sampling").
        on_elicitation: Asks a person what the server asks; None as its result declines.
        on_log: Gets the log records of the server; by default they go to the logger
            ``autogen_core.tools.mcp``.
        timeout: The most seconds that a request may take; by default as the parameters say.
        connect_timeout: The most seconds until the server is initialized.
        stop_timeout: The most seconds that `stop` waits for the connection to close.
        restarts: How often a lost connection is opened again before a request fails.
        restart_delay: The seconds before the first restart; each further one waits twice as long.

    Raises:
        ToolNameError: A name would stand for two tools.
        ValueError: A number of seconds is not positive.

    Example:
        ```python
        import asyncio
        import sys

        from ferrogen.tools.mcp import McpWorkbench, StdioServerParams

        served = ["-m", "ferrogen", "mcp", "serve", "ferrogen.utils:extract_json_from_str"]


        async def main() -> None:
            params = StdioServerParams(command=sys.executable, args=served)
            async with McpWorkbench(params, timeout=30) as workbench:
                (tool,) = await workbench.list_tools()
                result = await workbench.call_tool(tool["name"], {"content": "[1, 2]"})
                assert not result.is_error


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.tools.mcp"

    component_provider_override = "ferrogen.tools.mcp.McpWorkbench"
    component_config_schema = McpWorkbenchConfig

    def __init__(
        self,
        server_params: StdioServerParams | StreamableHttpServerParams,
        tool_overrides: dict[str, ToolOverride] | None = None,
        model_client: "ChatCompletionClient | None" = None,
        *,
        on_elicitation: OnElicitation | None = None,
        on_log: OnLog | None = None,
        timeout: float | None = None,
        connect_timeout: float = 30.0,
        stop_timeout: float = 10.0,
        restarts: int = 5,
        restart_delay: float = 0.5,
    ) -> None:
        self._server_params = _own(server_params)
        self._tool_overrides = tool_overrides or {}
        self._override_name_to_original = names_behind(self._tool_overrides, ())
        self._model_client = model_client
        questions = Questions()
        self._session = McpSession(
            self._server_params,
            make_callbacks(on_elicitation, on_log, model_client, questions),
            questions,
            timeout=timeout,
            connect_timeout=connect_timeout,
            stop_timeout=stop_timeout,
            restarts=restarts,
            restart_delay=restart_delay,
        )

    @property
    def server_params(self) -> StdioServerParams | StreamableHttpServerParams:
        """How the server is reached."""
        return self._server_params

    @property
    def initialize_result(self) -> Any:
        """The server's description of itself, by the SDK; None without a connection."""
        connection = self._session.connection
        if connection is None:
            return None
        return sdk.of_wire("InitializeResult", connection.result)

    async def list_tools(self) -> list[ToolSchema]:
        """Describe the tools, by their overrides where they have some.

        Raises:
            McpError: The server does not respond, or refuses.
        """
        tools = await self._session.request(lambda s: sdk.list_all(s, "list_tools", "tools"))
        schemas = [schema_of(sdk.wire(tool)) for tool in tools]
        return [overridden(schema, self._tool_overrides.get(schema["name"])) for schema in schemas]

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
        call_id: str | None = None,
    ) -> ToolResult:
        """Call a tool. Its progress goes to the listeners of `tool_progress`.

        Args:
            name: The tool, by either of its names.
            arguments: The arguments by name; none if not given.
            cancellation_token: Cancels the call, also at the server.
            call_id: The id that the model gave to the call, for traces.

        Returns:
            The result. It has ``is_error`` if the tool fails, is not there, or is cancelled by the
            token, or if the server cannot be reached.

        Raises:
            asyncio.CancelledError: The caller was cancelled, and so was the call.
        """
        from ferrogen.telemetry.genai import trace_tool_span

        token = cancellation_token or CancellationToken()
        own_name = self._override_name_to_original.get(name, name)
        context = ToolContext.of_call(own_name, call_id, token, self._session.timeout)

        async def report(done: float, total: float | None, message: str | None = None) -> None:
            context.progress(done, total, message or "")

        async def make(session: Any) -> dict[str, Any]:
            return await sdk.call_tool(session, own_name, arguments or {}, report)

        try:
            with trace_tool_span(own_name, tool_call_id=call_id):
                call = asyncio.ensure_future(self._session.request(make))
                result = await awaited(call, token)
                return result_of(name, result)
        except Exception as error:  # noqa: BLE001 - the model gets the error
            return failed(name, error)

    async def list_resources(self) -> Any:
        """List the resources, as an SDK's ``ListResourcesResult``."""
        return await self._all("list_resources", "resources", "ListResourcesResult")

    async def list_resource_templates(self) -> Any:
        """List the templates of resources, as an SDK's ``ListResourceTemplatesResult``."""
        field = "resourceTemplates" if sdk.is_first_major() else "resource_templates"
        return await self._all(
            "list_resource_templates", field, "ListResourceTemplatesResult", "resourceTemplates"
        )

    async def read_resource(self, uri: str) -> Any:
        """Read a resource, as an SDK's ``ReadResourceResult``.

        Raises:
            McpError: The server does not respond, or has no such resource.
        """
        return await self._session.request(lambda s: s.read_resource(sdk.uri(uri)))

    async def list_prompts(self) -> Any:
        """List the prompts, as an SDK's ``ListPromptsResult``."""
        return await self._all("list_prompts", "prompts", "ListPromptsResult")

    async def get_prompt(self, name: str, arguments: dict[str, str] | None = None) -> Any:
        """Get a prompt, as an SDK's ``GetPromptResult``.

        Raises:
            McpError: The server does not respond, or has no such prompt.
        """
        return await self._session.request(lambda s: s.get_prompt(name, arguments))

    async def start(self) -> None:
        """Connect to the server. Idempotent.

        Raises:
            McpConnectionError: The server cannot be reached.
            MissingDependencyError: The package mcp is not installed.
        """
        await self._session.start()

    async def stop(self) -> None:
        """Close the connection, and end a program. Idempotent."""
        await self._session.stop()

    async def reset(self) -> None:
        """Do nothing: the state is at the server."""

    async def save_state(self) -> Mapping[str, Any]:
        """Return a state that has nothing in it: the state is at the server."""
        return McpWorkbenchState().model_dump()

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Do nothing: the state is at the server."""

    async def _all(self, method: str, field: str, kind: str, wire_field: str | None = None) -> Any:
        items = await self._session.request(lambda s: sdk.list_all(s, method, field))
        return sdk.of_wire(kind, {wire_field or field: [sdk.wire(item) for item in items]})

    def _to_config(self) -> McpWorkbenchConfig:
        client = self._model_client
        return McpWorkbenchConfig(
            server_params=self._server_params,
            tool_overrides=self._tool_overrides,
            model_client=None if client is None else client.dump_component(),
        )

    @classmethod
    def _from_config(cls, config: McpWorkbenchConfig) -> Self:
        from ferrogen.models.client import ChatCompletionClient

        client = None
        if config.model_client is not None:
            client = ChatCompletionClient.load_component(config.model_client)
        return cls(config.server_params, config.tool_overrides, client)


def _own(params: Any) -> StdioServerParams | StreamableHttpServerParams:
    if isinstance(params, (StdioServerParams, StreamableHttpServerParams)):
        return params
    if isinstance(params, BaseModel):  # autogen-ext's have the same fields
        adapter: TypeAdapter[Any] = TypeAdapter(McpServerParams)
        own: StdioServerParams | StreamableHttpServerParams = adapter.validate_python(
            params.model_dump()
        )
        return own
    raise TypeError(
        f"server_params is {params!r}; give StdioServerParams or StreamableHttpServerParams"
    )
