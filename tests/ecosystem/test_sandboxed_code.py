"""AgentChat's agent and autogen-ext's tool run code in the sandbox, unmodified."""

from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("sandboxed_code.py")


def test_an_agent_and_a_tool_run_code_in_the_sandbox(run_program: Any) -> None:
    lines = run_program(PROGRAM, "ferrogen").splitlines()
    assert lines.pop(7) in {"False FileNotFoundError", "False PermissionError"}
    assert lines == [
        "True",
        "The script ran, then exited with an error (POSIX exit code: 3)",
        "Its output was:",
        "42",
        "done",
        "",
        "True 1024",
        "ferrogen.code_executor.SandboxCodeExecutor",
        "ferrogen.code_executor.SandboxCodeExecutor 60.0",
    ]
