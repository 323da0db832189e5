"""An unmodified assistant with an MCP server, on the SDK of the first major version."""

import asyncio
import logging
import sys
from importlib.metadata import version

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import ToolCallExecutionEvent
from autogen_core import FunctionCall
from autogen_core.models import CreateResult, RequestUsage
from autogen_ext.models.replay import ReplayChatCompletionClient
from autogen_ext.tools.mcp import StdioServerParams

from ferrogen.tools import Deny, Guard, ToolCall
from ferrogen.tools.mcp import McpWorkbench

ABLE = {
    "vision": False,
    "function_calling": True,
    "json_output": False,
    "structured_output": False,
    "family": "unknown",
}


def call(number: int, zone: str) -> FunctionCall:
    return FunctionCall(str(number), f'{{"timezone": "{zone}"}}', "get_current_time")


def no_moscow(call: ToolCall) -> Deny | None:
    return Deny("not there") if call.arguments["timezone"] == "Europe/Moscow" else None


async def main() -> None:
    print("major", version("mcp").split(".")[0])
    params = StdioServerParams(
        command=sys.executable, args=["-m", "mcp_server_time"], read_timeout_seconds=30
    )
    usage = RequestUsage(prompt_tokens=1, completion_tokens=1)
    calls = [call(0, "UTC"), call(1, "Nowhere"), call(2, "Europe/Moscow")]
    answer = CreateResult(finish_reason="function_calls", content=calls, usage=usage, cached=False)
    client = ReplayChatCompletionClient([answer, "done"], model_info=ABLE)
    async with McpWorkbench(params) as workbench:
        agent = AssistantAgent("assistant", client, workbench=workbench)
        with Guard(no_moscow):
            result = await agent.run(task="?")
    for message in result.messages:
        if isinstance(message, ToolCallExecutionEvent):
            for each in message.content:
                print(each.call_id, each.is_error, each.content.split()[0])


logging.disable(logging.CRITICAL)
asyncio.run(main())
