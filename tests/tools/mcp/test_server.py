"""Tools as an MCP server, used by the official client and by the workbench."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest
import uvicorn
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from ferrogen import CancellationToken
from ferrogen.tools import (
    Deny,
    Guard,
    StaticWorkbench,
    ToolContext,
    ToolOverride,
    tool,
    tool_progress,
)
from ferrogen.tools.mcp import McpServer, McpWorkbench, StreamableHttpServerParams

from ...imported_modules import FERROGEN, STRICT
from .conftest import ENVIRONMENT, until

MODULE = '''
from ferrogen.tools import ToolContext, tool


@tool
async def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


def noisy(times: int, context: ToolContext) -> str:
    """Print, and report progress."""
    for time in range(times):
        print("noise on the standard output")
        context.progress(time + 1, times, "printing")
    return input("no input: ") if times == 0 else "done"


tools = [add, noisy]
'''


@asynccontextmanager
async def served(server, port=0):
    """Serve over HTTP, by default on a free port."""
    listener = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(server.http_app(), log_level="critical", timeout_graceful_shutdown=1)
    running = uvicorn.Server(config)
    task = asyncio.ensure_future(running.serve(sockets=[listener]))
    await until(lambda: running.started)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    finally:
        running.should_exit = True
        await task


async def test_the_official_client_uses_tools_of_a_module(tmp_path, forking_python):
    (tmp_path / "calculator.py").write_text(MODULE)
    reports = []

    async def report(done, total, message):
        reports.append((done, total, message))

    command = ["-m", "ferrogen", "mcp", "serve", "calculator:tools"]
    params = StdioServerParameters(
        command=forking_python, args=command, env=ENVIRONMENT, cwd=tmp_path
    )
    with (tmp_path / "errors").open("w+") as errors:
        async with (
            stdio_client(params, errors) as streams,
            ClientSession(*streams[:2]) as session,
        ):
            initialized = (await session.initialize()).model_dump(by_alias=True)
            assert initialized["serverInfo"]["name"] == "calculator"
            listed = (await session.list_tools()).model_dump(by_alias=True)["tools"]
            assert [each["name"] for each in listed] == ["add", "noisy"]
            assert listed[0]["description"] == "Add two numbers."
            assert listed[0]["inputSchema"]["required"] == ["a"]
            assert list(listed[1]["inputSchema"]["properties"]) == ["times"]

            async def call(name, arguments, **options):
                result = await session.call_tool(name, arguments, **options)
                written = result.model_dump(by_alias=True)
                return written["isError"], written["content"][0]["text"]

            assert await call("add", {"a": 1, "b": 2}) == (False, "3")
            assert await call("noisy", {"times": 2}, progress_callback=report) == (False, "done")
            assert reports == [(1, 2, "printing"), (2, 2, "printing")]
            is_error, text = await call("add", {"a": "x"})
            assert is_error
            assert text.startswith("a: Input should be a valid integer")
            assert await call("unknown", {}) == (True, "there is no tool unknown")
            assert (await call("noisy", {"times": 0}))[0]  # there is no input to wait for


@tool
async def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


async def test_the_official_client_uses_tools_over_http():
    async with (
        served(McpServer([add], "calculator")) as url,
        streamable_http_client(url) as streams,
        ClientSession(*streams[:2]) as session,
    ):
        await session.initialize()
        result = (await session.call_tool("add", {"a": 1})).model_dump(by_alias=True)
        assert (result["content"][0]["text"], result["isError"]) == ("2", False)


async def test_a_workbench_is_served_with_its_names():
    workbench = StaticWorkbench([add], {"add": ToolOverride(name="sum")})
    async with (
        served(McpServer(workbench)) as url,
        McpWorkbench(StreamableHttpServerParams(url=url)) as client,
    ):
        assert [each["name"] for each in await client.list_tools()] == ["sum"]
        assert (await client.call_tool("sum", {"a": 1})).to_text() == "2"


async def test_calls_of_clients_pass_the_guards():
    guarded = Guard(Deny.tools("sum", reason="not today")).protect(StaticWorkbench([add]))
    async with (
        served(McpServer(guarded)) as url,
        McpWorkbench(StreamableHttpServerParams(url=url)) as client,
    ):
        result = await client.call_tool("sum", {"a": 1})
    assert result.is_error
    assert "not today" in result.to_text()


async def test_progress_and_cancelling_pass_through_http():
    started, ended, reports = asyncio.Event(), asyncio.Event(), []

    @tool
    async def hang(context: ToolContext) -> None:
        """Hang."""
        context.progress(1, 2, "hanging")
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    token = CancellationToken()
    async with (
        served(McpServer([hang])) as url,
        McpWorkbench(StreamableHttpServerParams(url=url)) as client,
    ):
        with tool_progress(reports.append):
            call = asyncio.ensure_future(client.call_tool("hang", {}, token))
            await started.wait()
            await until(lambda: bool(reports))
            token.cancel()
            assert (await call).is_error
        await asyncio.wait_for(ended.wait(), 30)
    assert [(each.share, each.message) for each in reports] == [(0.5, "hanging")]


async def test_a_restarted_http_server_is_reached_again():
    async with served(McpServer([add])) as url:
        params = StreamableHttpServerParams(url=url, timeout=60)
        workbench = McpWorkbench(params, restart_delay=0.01)
        assert (await workbench.call_tool("add", {"a": 1})).to_text() == "2"
    assert (await workbench.call_tool("add", {"a": 1})).is_error
    port = int(url.split(":")[2].split("/")[0])
    async with served(McpServer([add]), port):
        assert (await workbench.call_tool("add", {"a": 1})).to_text() == "2"
        await workbench.stop()


async def test_a_server_that_is_not_there_is_an_error():
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    workbench = McpWorkbench(StreamableHttpServerParams(url=f"http://127.0.0.1:{port}/mcp"))
    result = await workbench.call_tool("add", {"a": 1})
    assert result.is_error
    assert "cannot be reached" in result.to_text()
    await workbench.stop()


def test_what_cannot_be_served_is_refused():
    with pytest.raises(ValueError, match="two tools have one name"):
        McpServer([add, add])
    with pytest.raises(TypeError, match="not a tool"):
        McpServer(["add"])


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("calculator", "names no tools"),
        ("no_such_module:tools", "No module named"),
        ("os:no_such_tools", "no attribute"),
        ("os:sep", "is not a tool"),
    ],
)
def test_the_command_refuses_what_it_cannot_serve(path, words, fork_server):
    """In a fork: the command installs Ferrogen in its process."""
    done = fork_server(*FERROGEN, flags=STRICT).run("-m", "ferrogen", "mcp", "serve", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
