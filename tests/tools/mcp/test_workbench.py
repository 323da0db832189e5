"""The MCP workbench, with a server that does everything, over standard input and output."""

import asyncio

import pytest

from ferrogen import FunctionCall
from ferrogen.exceptions import ToolNameError
from ferrogen.models.scripted import ScriptedClient
from ferrogen.tool_agent import call_tools
from ferrogen.tools import Deny, Guard, ImageResultContent, ToolOverride, tool_progress
from ferrogen.tools.mcp import (
    McpConnectionError,
    McpError,
    McpWorkbench,
    StdioServerParams,
    StreamableHttpServerParams,
)

from .conftest import until


async def text_of(workbench, name, arguments=None, **options):
    return (await workbench.call_tool(name, arguments, **options)).to_text()


async def test_tools_are_listed_and_called(everything):
    override = ToolOverride(name="sum", description="Sums.")
    async with McpWorkbench(everything(), {"add": override}) as workbench:
        tools = {tool["name"]: tool for tool in await workbench.list_tools()}
        assert tools["sum"]["description"] == "Sums."
        parameters = tools["sum"]["parameters"]
        assert list(parameters["properties"]) == ["a", "b"]
        assert parameters["required"] == ["a"]
        people = tools["greet"]["parameters"]["properties"]["order"]["properties"]["people"]
        assert people["items"]["properties"]["name"]["type"] == "string"  # without references
        assert await text_of(workbench, "sum", {"a": 1, "b": 2}) == "3"
        assert await text_of(workbench, "add", {"a": 1}) == "2"
        order = {"people": [{"name": "Ada"}, {"name": "Grace"}]}
        assert await text_of(workbench, "greet", {"order": order}) == "Ada, Grace"
        assert (await workbench.call_tool("fail")).is_error
        assert (await workbench.call_tool("add", {"a": "x"})).is_error
        assert (await workbench.call_tool("unknown")).is_error
        picture = (await workbench.call_tool("picture")).result
        assert picture[0].content == "a pixel"
        assert isinstance(picture[1], ImageResultContent)
        assert workbench.initialize_result.instructions == "Use it for tests."
    assert workbench.initialize_result is None


async def test_calls_run_side_by_side_past_the_guards(everything):
    calls = [FunctionCall(str(n), f'{{"a": {n}}}', "add") for n in range(20)]
    async with McpWorkbench(everything()) as workbench:
        with Guard(Deny.tools("fail", reason="no"), max_calls=20) as guard:
            results = await call_tools(workbench, calls)
            assert [each.content for each in results] == [str(n + 1) for n in range(20)]
            assert await text_of(workbench, "fail") == "the call of fail was denied: no"
            assert "allows 20 calls" in await text_of(workbench, "add", {"a": 1})
    assert guard.spent.calls == 20


async def test_resources_and_prompts(everything):
    async with McpWorkbench(everything()) as workbench:
        (motto,) = (await workbench.list_resources()).resources
        assert str(motto.uri) == "data://motto"
        templates = (await workbench.list_resource_templates()).model_dump(by_alias=True)
        assert templates["resourceTemplates"][0]["uriTemplate"] == "data://greeting/{name}"
        assert (await workbench.read_resource("data://motto")).contents[0].text == "festina lente"
        greeting = await workbench.read_resource("data://greeting/Ada")
        assert greeting.contents[0].text == "Hello, Ada"
        with pytest.raises(McpError, match="Unknown resource"):
            await workbench.read_resource("data://nothing")
        (prompt,) = (await workbench.list_prompts()).prompts
        assert prompt.name == "review"
        message = (await workbench.get_prompt("review", {"code": "x = 1"})).messages[0]
        assert message.content.text == "Review this: x = 1"
        with pytest.raises(McpError):
            await workbench.get_prompt("nothing")


async def test_a_server_can_ask_and_report(everything):
    asked, records, reports = [], [], []

    async def answer(question):
        asked.append(question)
        if asked[1:]:
            return None
        await asyncio.sleep(1.2 * workbench._session.timeout)  # a person may take longer
        return {"name": "Ada"}

    workbench = McpWorkbench(
        everything(),
        model_client=ScriptedClient(["5"]),
        on_elicitation=answer,
        on_log=records.append,
    )
    async with workbench:
        await workbench.list_tools()
        for timeout in (1.0, 10.0):  # what is not the person's time must be in time
            asked.clear()
            workbench._session.timeout = timeout
            response = await workbench.call_tool("ask")
            if not response.is_error:
                break
        assert response.to_text() == "accept Ada"
        assert await text_of(workbench, "ask") == "decline -"
        workbench._session.timeout = 30.0
        assert await text_of(workbench, "think") == "5"
        await workbench.call_tool("log")
        with tool_progress(reports.append):
            await workbench.call_tool("work", {"steps": 2}, call_id="c")
            await until(lambda: len(reports) == 2)
    assert asked[0].message == "Who are you?"
    assert list(asked[0].schema["properties"]) == ["name", "age"]
    (record,) = records
    assert (record.level, record.data, record.logger) == ("warning", {"disk": "full"}, "disks")
    assert [(each.share, each.call_id) for each in reports] == [(0.5, "c"), (1.0, "c")]


async def test_who_cannot_answer_is_not_asked(everything):
    async with McpWorkbench(everything()) as workbench:
        assert (await workbench.call_tool("ask")).is_error


async def test_a_missing_program_is_an_error():
    workbench = McpWorkbench(StdioServerParams(command="no-such-program-anywhere"))
    with pytest.raises(McpConnectionError, match="no-such-program-anywhere"):
        await workbench.start()


def test_a_config_is_dumped_and_loaded(everything):
    params = everything()
    workbench = McpWorkbench(params, {"add": ToolOverride(name="sum")})
    again = McpWorkbench.load_component(workbench.dump_component())
    assert again.server_params == params
    assert again.dump_component() == workbench.dump_component()
    http = McpWorkbench(StreamableHttpServerParams(url="http://127.0.0.1:1/mcp"))
    assert McpWorkbench.load_component(http.dump_component()).server_params == http.server_params


def test_wrong_arguments_are_refused(everything):
    same = {"add": ToolOverride(name="x"), "fail": ToolOverride(name="x")}
    with pytest.raises(ToolNameError):
        McpWorkbench(everything(), same)
    for option in ("timeout", "connect_timeout", "stop_timeout"):
        with pytest.raises(ValueError, match=f"{option} is 0"):
            McpWorkbench(everything(), **{option: 0})
    with pytest.raises(ValueError, match="restarts is -1"):
        McpWorkbench(everything(), restarts=-1)
    with pytest.raises(TypeError, match="give StdioServerParams"):
        McpWorkbench("mcp-server-time")
