"""Servers by others: mcp-server-time and mcp-server-git, in an environment of their own."""

import os
import subprocess
from pathlib import Path

import pytest

from ferrogen.tools import Input, Output, Pipeline, Step, tool
from ferrogen.tools.mcp import McpWorkbench, StdioServerParams


@pytest.fixture
def peer():
    """How a server of that environment is started: `make test` makes it."""
    folder = os.environ.get("MCP_PEERS_BIN", "")
    if not folder:
        pytest.fail("run these tests by `make test-python ARGS=tests/tools/mcp`")

    def params(name: str, *arguments: str) -> StdioServerParams:
        command = str(Path(folder) / name)
        return StdioServerParams(command=command, args=list(arguments), read_timeout_seconds=30)

    return params


async def test_the_time_server(peer):
    async with McpWorkbench(peer("mcp-server-time", "--local-timezone=UTC")) as workbench:
        names = [each["name"] for each in await workbench.list_tools()]
        assert names == ["get_current_time", "convert_time"]
        result = await workbench.call_tool("get_current_time", {"timezone": "UTC"})
        assert not result.is_error
        assert '"timezone": "UTC"' in result.to_text()
        result = await workbench.call_tool("get_current_time", {"timezone": "Nowhere"})
        assert result.is_error
        assert "Nowhere" in result.to_text()


async def test_the_git_server(peer, tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True)

    git("init", "--quiet")
    (tmp_path / "notes.txt").write_text("festina lente\n")
    git("add", "notes.txt")
    git("commit", "--quiet", "--message", "add the motto")
    (tmp_path / "notes.txt").write_text("carpe diem\n")

    async with McpWorkbench(peer("mcp-server-git", "--repository", str(tmp_path))) as workbench:
        repository = {"repo_path": str(tmp_path)}
        log = await workbench.call_tool("git_log", repository)
        assert "add the motto" in log.to_text()
        difference = await workbench.call_tool("git_diff_unstaged", repository)
        assert "+carpe diem" in difference.to_text()
        outside = await workbench.call_tool("git_log", {"repo_path": str(tmp_path.parent)})
        assert outside.is_error


async def test_a_pipeline_uses_tools_of_a_server(peer):
    @tool
    async def now(timezone: str) -> str:
        """Return the time."""
        result = await workbench.call_tool("get_current_time", {"timezone": timezone})
        return result.to_text()

    @tool
    async def is_utc(text: str) -> bool:
        """Whether a text is about UTC."""
        return "UTC" in text

    pipeline = Pipeline(
        "check",
        "d",
        [Step(now, {"timezone": Input("zone")}), Step(is_utc, {"text": Output("now")})],
    )
    async with McpWorkbench(peer("mcp-server-time", "--local-timezone=UTC")) as workbench:
        assert await pipeline.run_json({"zone": "UTC"}) is True
