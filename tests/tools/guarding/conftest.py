"""Tools that are called through guards, in every way in which tools are called."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest
from pydantic import BaseModel

from ferrogen import AgentId, CancellationToken, FunctionCall, SingleThreadedAgentRuntime
from ferrogen.models import CreateResult, RequestUsage
from ferrogen.models.scripted import ScriptedClient
from ferrogen.tool_agent import ToolAgent, tool_agent_caller_loop
from ferrogen.tools import (
    BaseStreamTool,
    BaseTool,
    FunctionTool,
    StaticStreamWorkbench,
    StaticWorkbench,
    TextResultContent,
    ToolResult,
    ToolSchema,
    Workbench,
)

TOOLS = AgentId("tools", "default")


class Amount(BaseModel):
    amount: int


class Text(BaseModel):
    text: str


class Paying:
    """What was paid."""

    def __init__(self) -> None:
        self.amounts: list[int] = []

    def pay(self, amount: int) -> str:
        self.amounts.append(amount)
        return f"paid {amount}"


class OwnRunTool(BaseTool[Amount, str]):
    """A tool with a ``run_json`` of its own."""

    def __init__(self, paying: Paying) -> None:
        super().__init__(Amount, str, "pay", "Pays.")
        self.paying = paying

    async def run(self, args: Amount, cancellation_token: CancellationToken) -> str:
        return self.paying.pay(args.amount)

    async def run_json(
        self, args: Mapping[str, Any], cancellation_token: Any = None, call_id: str | None = None
    ) -> Any:
        return await super().run_json(args, cancellation_token, call_id)


class StreamingTool(BaseStreamTool[Amount, Text, Text]):
    def __init__(self, paying: Paying) -> None:
        super().__init__(Amount, Text, "pay", "Pays.")
        self.paying = paying

    async def run(self, args: Amount, cancellation_token: CancellationToken) -> Text:
        return Text(text=self.paying.pay(args.amount))

    async def run_stream(
        self, args: Amount, cancellation_token: CancellationToken
    ) -> AsyncGenerator[Text, None]:
        yield Text(text="paying")
        yield Text(text=self.paying.pay(args.amount))

    def return_value_as_string(self, value: Any) -> str:
        return value.text


class OwnWorkbench(Workbench):
    """A workbench that does the work by itself, or leaves it to a tool."""

    def __init__(self, paying: Paying, tool: BaseTool[Any, Any] | None = None) -> None:
        self.paying, self.tool = paying, tool

    async def list_tools(self) -> list[ToolSchema]:
        return []

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
        call_id: str | None = None,
    ) -> ToolResult:
        if self.tool is None:
            text = self.paying.pay(int((arguments or {})["amount"]))
        else:
            text = await self.tool.run_json(arguments or {}, CancellationToken(), call_id)
        return ToolResult(name=name, result=[TextResultContent(content=text)])

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def reset(self) -> None: ...
    async def save_state(self) -> Mapping[str, Any]:
        return {}

    async def load_state(self, state: Mapping[str, Any]) -> None: ...


class ForeignTool:
    """A tool that only has the methods of the protocol."""

    name = "pay"

    def __init__(self, paying: Paying) -> None:
        self.paying = paying

    def return_value_as_string(self, value: Any) -> str:
        return str(value)

    async def run_json(
        self, args: Mapping[str, Any], cancellation_token: CancellationToken, call_id: Any = None
    ) -> str:
        return self.paying.pay(int(args["amount"]))


async def direct(tool: Any, call_id: str, amount: Any) -> str:
    try:
        return tool.return_value_as_string(await tool.run_json({"amount": amount}, None, call_id))
    except Exception as error:  # noqa: BLE001 - the text is compared
        return str(error)


async def by_stream(tool: Any, call_id: str, amount: Any) -> str:
    try:
        stream = tool.run_json_stream({"amount": amount}, None, call_id)
        return [part async for part in stream][-1].text
    except Exception as error:  # noqa: BLE001 - the text is compared
        return str(error)


async def by_workbench(workbench: Any, call_id: str, amount: Any) -> str:
    return (await workbench.call_tool("pay", {"amount": amount}, None, call_id)).to_text()


async def by_stream_of_workbench(workbench: Any, call_id: str, amount: Any) -> str:
    stream = workbench.call_tool_stream("pay", {"amount": amount}, None, call_id)
    return [part async for part in stream][-1].to_text()


async def by_tool_agent(tool: Any, call_id: str, amount: Any) -> str:
    runtime = SingleThreadedAgentRuntime()
    await ToolAgent.register(runtime, "tools", lambda: ToolAgent("d", [tool]))
    runtime.start()
    call = FunctionCall(call_id, f'{{"amount": {amount}}}', "pay")
    try:
        return (await runtime.send_message(call, TOOLS)).content
    except Exception as error:  # noqa: BLE001 - the text is compared
        return str(error).removeprefix("Error: ")
    finally:
        await runtime.close()


async def by_caller_loop(tool: Any, call_id: str, amount: Any) -> str:
    runtime = SingleThreadedAgentRuntime()
    await ToolAgent.register(runtime, "tools", lambda: ToolAgent("d", [tool]))
    runtime.start()
    call = FunctionCall(call_id, f'{{"amount": {amount}}}', "pay")
    usage = RequestUsage(prompt_tokens=1, completion_tokens=1)
    calls = CreateResult(finish_reason="function_calls", content=[call], usage=usage, cached=False)
    client = ScriptedClient([calls, "done"])
    messages = await tool_agent_caller_loop(runtime, TOOLS, client, [], [])
    await runtime.close()
    return messages[1].content[0].content.removeprefix("Error: ")


def function_tool(paying: Paying) -> Any:
    return FunctionTool(paying.pay, "Pays.")


WAYS: dict[str, tuple[Any, Any]] = {
    "function": (function_tool, direct),
    "own run_json": (OwnRunTool, direct),
    "stream tool": (StreamingTool, by_stream),
    "static workbench": (lambda paying: StaticWorkbench([function_tool(paying)]), by_workbench),
    "static stream workbench": (
        lambda paying: StaticStreamWorkbench([StreamingTool(paying)]),
        by_stream_of_workbench,
    ),
    "own workbench": (OwnWorkbench, by_workbench),
    "workbench of tools": (
        lambda paying: OwnWorkbench(paying, function_tool(paying)),
        by_workbench,
    ),
    "workbench of own tools": (
        lambda paying: OwnWorkbench(paying, OwnRunTool(paying)),
        by_workbench,
    ),
    "tool agent": (function_tool, by_tool_agent),
    "foreign tool": (ForeignTool, by_tool_agent),
    "caller loop": (function_tool, by_caller_loop),
}


class Way:
    """One way in which a tool is called."""

    def __init__(self, name: str) -> None:
        make, self._call = WAYS[name]
        self.name = name
        self.paying = Paying()
        self.target = make(self.paying)

    @property
    def paid(self) -> list[int]:
        return self.paying.amounts

    async def call(self, amount: Any = 5, call_id: str = "c") -> str:
        return await self._call(self.target, call_id, amount)


@pytest.fixture(params=WAYS)
def way(request):
    return Way(request.param)


@pytest.fixture
def paying():
    return Paying()


@pytest.fixture
def tool(paying):
    return function_tool(paying)


async def outcome(work):
    """Return the result or the error of some work."""
    (found,) = await asyncio.gather(work, return_exceptions=True)
    return found
