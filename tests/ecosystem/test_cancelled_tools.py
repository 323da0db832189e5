"""A cancelled tool frees an unmodified agent, and its team."""

from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("cancelled_tools.py")


def test_a_cancelled_tool_frees_an_assistant_and_its_team(run_program: Any) -> None:
    upstream = run_program(PROGRAM, "upstream", "0.1", fresh=True)
    ends = [line.rpartition(" ")[2] for line in upstream.splitlines()]
    assert ends[:8] == ["hangs"] * 8
    # Unless the thread of the handoff is faster than its cancellation.
    assert ends[8] in {"hangs", "False"}
    # A team sees the call after the handoff, on a slow machine not within this time.
    assert ends[9] in {"hangs", "cancelled"}
    assert run_program(PROGRAM, "ferrogen", "20", fresh=True).splitlines() == [
        "waits, alone: ends with an error: True",
        "waits, in a team: is cancelled",
        "blocks, alone: ends with an error: True",
        "blocks, in a team: is cancelled",
        "cancels itself, alone: ends with an error: True",
        "cancels itself, in a team: ends with an error: True",
        "an agent as a tool, alone: ends with an error: True",
        "an agent as a tool, in a team: is cancelled",
        "a handoff, alone: ends with an error: False",
        "a handoff, in a team: is cancelled",
    ]
