"""AgentChat's assistant uses MCP servers by Ferrogen's workbench, also on mcp 1."""

from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("mcp_agents.py")


def test_an_assistant_uses_an_mcp_server_with_the_first_major_version(run_program: Any) -> None:
    assert run_program(PROGRAM, "ferrogen", fresh=True).splitlines() == [
        "major 1",
        "0 False {",
        "1 True Error",
        "2 True the",
    ]
