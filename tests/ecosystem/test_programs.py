"""Programs of AgentChat users, unmodified: what they print on upstream, they print on Ferrogen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

PROGRAMS = sorted(Path(__file__).with_name("programs").glob("[!_]*.py"))
# Stands for all others with the command, in a new interpreter.
FRESH = "round_robin"


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_has_the_same_outcome_on_ferrogen(program: Path, run_program: Any) -> None:
    fresh = program.stem == FRESH
    expected = run_program(program, "upstream", fresh=fresh)
    assert expected.strip()
    assert run_program(program, "ferrogen", fresh=fresh) == expected


def test_agentchat_imports_ferrogen_when_it_is_run_on_it(tmp_path: Path, run_program: Any) -> None:
    program = tmp_path / "which.py"
    program.write_text(
        "import sys\n"
        "from autogen_agentchat.teams import RoundRobinGroupChat\n"
        "from autogen_ext.models.replay import ReplayChatCompletionClient\n"
        "import autogen_core\n"
        "print(autogen_core.__file__.split('/')[-2], 'ferrogen' in sys.modules)\n"
    )
    assert run_program(program, "upstream", fresh=True) == "autogen_core False\n"
    assert run_program(program, "ferrogen", fresh=True) == "ferrogen True\n"
