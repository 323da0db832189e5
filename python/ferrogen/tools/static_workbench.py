"""The static workbench: tools that are there from the start and do not change."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen._core import CancellationToken
from ferrogen.components.component import Component
from ferrogen.components.model import ComponentModel
from ferrogen.exceptions import ToolNameError
from ferrogen.tools.base import BaseTool
from ferrogen.tools.cancellation import result_of
from ferrogen.tools.guarding.wrapping import run_tool
from ferrogen.tools.protocol import Tool
from ferrogen.tools.results import TextResultContent, ToolResult, failed
from ferrogen.tools.schema import ToolOverride, ToolSchema
from ferrogen.tools.workbench import Workbench


def names_behind(
    overrides: Mapping[str, ToolOverride], tool_names: Collection[str]
) -> dict[str, str]:
    """Find the tool behind each name that an override gives.

    Args:
        overrides: Under the tools' own names.
        tool_names: The names that are taken.

    Raises:
        ToolNameError: A name would stand for two tools.
    """
    behind: dict[str, str] = {}
    for own_name, override in overrides.items():
        name = override.name
        if not name or name == own_name:
            continue
        if name in tool_names:
            raise ToolNameError(
                f"Tool override name '{name}' conflicts with existing tool name."
                " Override names must not conflict with any tool names."
            )
        if name in behind:
            raise ToolNameError(
                f"Tool override name '{name}' is used by multiple tools: '{behind[name]}' and"
                f" '{own_name}'. Override names must be unique."
            )
        behind[name] = own_name
    return behind


def overridden(schema: ToolSchema, override: ToolOverride | None) -> ToolSchema:
    """Describe a tool by another name and description, as far as the override gives them."""
    if override is None:
        return schema
    changed = schema.copy()
    if override.name is not None:
        changed["name"] = override.name
    own_description = schema.get("description", "")
    changed["description"] = (
        own_description if override.description is None else override.description
    )
    return changed


class StaticWorkbenchConfig(BaseModel):
    """The config of a `StaticWorkbench`: its tools, dumped, and their overrides."""

    tools: list[ComponentModel] = []
    tool_overrides: dict[str, ToolOverride] = {}


class StaticWorkbenchState(BaseModel):
    """The state of a `StaticWorkbench`: that of each tool, under the tool's own name."""

    type: Literal["StaticWorkbenchState"] = "StaticWorkbenchState"
    tools: dict[str, Mapping[str, Any]] = {}


class StaticWorkbench(Workbench, Component[StaticWorkbenchConfig]):
    """A workbench with a fixed list of tools.

    Args:
        tools: The tools.
        tool_overrides: Other names and descriptions, under the tools' own names. A tool can be
            called by both of its names.

    Raises:
        ToolNameError: A name would stand for two tools.

    Example:
        ```python
        import asyncio

        from ferrogen.tools import FunctionTool, StaticWorkbench, ToolOverride


        def add(a: int, b: int) -> int:
            return a + b


        async def main() -> None:
            other = {"add": ToolOverride(name="sum", description="Adds two integers.")}
            async with StaticWorkbench([FunctionTool(add, "Adds.")], other) as workbench:
                assert [tool["name"] for tool in await workbench.list_tools()] == ["sum"]
                result = await workbench.call_tool("sum", {"a": 1, "b": 2})
                assert result.to_text() == "3"
                result = await workbench.call_tool("sum", {"a": "one"})
                assert result.is_error


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.tools"

    component_provider_override = "autogen_core.tools.StaticWorkbench"
    _guards_at_tools = True
    component_config_schema = StaticWorkbenchConfig

    def __init__(
        self,
        tools: Sequence[BaseTool[Any, Any]],
        tool_overrides: dict[str, ToolOverride] | None = None,
    ) -> None:
        overrides = tool_overrides or {}
        self._tools, self._tool_overrides = tools, overrides
        self._override_name_to_original = names_behind(overrides, {tool.name for tool in tools})

    async def list_tools(self) -> list[ToolSchema]:
        """Describe the tools, by their overrides where they have some.

        Raises:
            ToolSchemaError: A tool cannot be described.
        """
        return [
            overridden(tool.schema, self._tool_overrides.get(tool.name)) for tool in self._tools
        ]

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
        call_id: str | None = None,
    ) -> ToolResult:
        """Call a tool.

        Args:
            name: The tool, by either of its names.
            arguments: The arguments by name; none if not given.
            cancellation_token: Cancels the call.
            call_id: The id that the model gave to the call, for traces.

        Returns:
            The result. It has ``is_error`` if the tool fails, is not there, or is cancelled by the
            token or by itself.

        Raises:
            asyncio.CancelledError: The caller was cancelled, and so was the call.
        """
        tool = self._find(name)
        if tool is None:
            return not_found(name)
        try:
            token = cancellation_token or CancellationToken()
            value = await self._run(tool, arguments or {}, token, call_id)
        except Exception as error:  # noqa: BLE001 - the model gets the error, and can correct the call
            return failed(name, error)
        return to_result(name, tool, value)

    async def start(self) -> None:
        """Do nothing: the tools are ready."""

    async def stop(self) -> None:
        """Do nothing: the tools remain available."""

    async def reset(self) -> None:
        """Do nothing: the tools keep their own state."""

    async def save_state(self) -> Mapping[str, Any]:
        """Return the states of the tools in a form that JSON can hold."""
        states = {tool.name: await tool.save_state_json() for tool in self._tools}
        return StaticWorkbenchState(tools=states).model_dump()

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Load the state of each tool; a tool without a saved state keeps its own.

        Raises:
            pydantic.ValidationError: It is not a state of a static workbench, or a tool refuses its
                part of it.
        """
        states = StaticWorkbenchState.model_validate(state).tools
        for loaded in [tool for tool in self._tools if tool.name in states]:
            await loaded.load_state_json(states[loaded.name])

    def _find(self, name: str) -> BaseTool[Any, Any] | None:
        own_name = self._override_name_to_original.get(name, name)
        return next((tool for tool in self._tools if tool.name == own_name), None)

    @staticmethod
    async def _run(
        tool: BaseTool[Any, Any],
        arguments: Mapping[str, Any],
        token: CancellationToken,
        call_id: str | None,
    ) -> Any:
        run = asyncio.ensure_future(run_tool(tool, arguments, token, call_id))
        return await result_of(run, token)

    def _to_config(self) -> StaticWorkbenchConfig:
        dumped = [tool.dump_component() for tool in self._tools]
        return StaticWorkbenchConfig(tools=dumped, tool_overrides=self._tool_overrides)

    @classmethod
    def _from_config(cls, config: StaticWorkbenchConfig) -> Self:
        return cls([BaseTool.load_component(tool) for tool in config.tools], config.tool_overrides)


def to_result(name: str, tool: Tool, value: Any) -> ToolResult:
    """Return the result of a call, or the error of its conversion to text."""
    try:
        text = tool.return_value_as_string(value)
    except Exception as error:  # noqa: BLE001 - see above
        return failed(name, error)
    return ToolResult(name=name, result=[TextResultContent(content=text)])


def not_found(name: str) -> ToolResult:
    """Return the result of a call of an unknown tool."""
    text = TextResultContent(content=f"Tool {name} not found.")
    return ToolResult(name=name, result=[text], is_error=True)
