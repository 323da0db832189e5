"""Tools of an MCP server that runs beside the program: listed, called, and given to an agent."""

import asyncio
import sys

from _replay import tool_calls, tool_model
from autogen_agentchat.agents import AssistantAgent
from autogen_core import FunctionCall
from autogen_ext.tools.mcp import McpWorkbench, StdioServerParams, mcp_server_tools

SERVER = StdioServerParams(
    command=sys.executable, args=["-m", "mcp_server_time", "--local-timezone", "UTC"]
)
NOON = '{"source_timezone": "Europe/Oslo", "time": "12:00", "target_timezone": "Asia/Tokyo"}'
CONVERSION = {"source_timezone": "Asia/Tokyo", "time": "12:00", "target_timezone": "Asia/Seoul"}


async def main() -> None:
    async with McpWorkbench(SERVER) as workbench:
        for tool in await workbench.list_tools():
            print(tool["name"], tool["parameters"])
        result = await workbench.call_tool("convert_time", CONVERSION)
        print(result.name, result.is_error, '"+0.0h"' in result.to_text())
        result = await workbench.call_tool("convert_time", {**CONVERSION, "time": "noon"})
        print(result.is_error, result.to_text())

        call = tool_calls(FunctionCall(id="1", name="convert_time", arguments=NOON))
        agent = AssistantAgent(
            "clock",
            tool_model(call, "It is evening there."),
            workbench=workbench,
            reflect_on_tool_use=True,
        )
        result = await agent.run(task="Noon in Oslo is when in Tokyo?")
        print([type(message).__name__ for message in result.messages])
        print(result.messages[-1].to_text())

    tools = await mcp_server_tools(SERVER)
    print([(tool.name, sorted(tool.schema["parameters"]["properties"])) for tool in tools])


asyncio.run(main())
