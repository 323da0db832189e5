"""The example of an MCP server behind a guard, run as people run it."""

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "examples" / "mcp_tools.py"


def test_it_pays_little_and_refuses_the_rest() -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM)], capture_output=True, text=True, check=False, timeout=150
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "result: 4.5",
        "result: paid 4.5 euros",
        "refused: the call of pay was denied: 4500 euros are too much",
        "refused: 'unicorn'",
        "3 calls were made",
    ]
