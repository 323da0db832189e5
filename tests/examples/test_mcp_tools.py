"""The example of an MCP server behind a guard, run as people run it."""

from pathlib import Path
from typing import Any

from ..imported_modules import FERROGEN, STRICT

PROGRAM = Path(__file__).resolve().parents[2] / "examples" / "mcp_tools.py"


def test_it_pays_little_and_refuses_the_rest(fork_server: Any) -> None:
    done = fork_server(*FERROGEN, flags=STRICT).run(str(PROGRAM))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "result: 4.5",
        "result: paid 4.5 euros",
        "refused: the call of pay was denied: 4500 euros are too much",
        "refused: 'unicorn'",
        "3 calls were made",
    ]
