"""Guards hold for AgentChat's agents and teams, which are not modified."""

from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("guarded_agents.py")
RESULTS = "['paid 5 (error: False)', 'the call of pay was denied: too much (error: True)']"


def test_a_guard_holds_for_an_assistant_of_agentchat(run_program: Any) -> None:
    lines = run_program(PROGRAM, "ferrogen").splitlines()
    assert lines[:3] == [
        f"tools: paid [5], results {RESULTS}",
        f"workbench: paid [5], results {RESULTS}",
        f"team: paid [5], results {RESULTS}",
    ]
    assert lines[3].startswith("agent as a tool: paid [5], results")
    assert lines[4:] == [
        "calls: 5",
        "approvals: paid [6, 7], results ['the call of pay was denied: no (error: True)',"
        " 'paid 6 (error: False)', 'paid 7 (error: False)']",
    ]
