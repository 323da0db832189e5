"""The examples of the skill print the same before the migration and after it."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

import ferrogen

from ..imported_modules import DEPENDENCIES

EXAMPLES = Path(ferrogen.__file__).parent / "skills" / "migrate-from-autogen" / "examples"
PRINTED = {
    "newsroom": "drafts: 2\n",
    "tool_assistant": ("the tool returns 8\nThe double of 21 is 42.\nthere is no such agent\n"),
    "review_team": (
        "user - Write about frogs.\nwriter - Frogs leap.\ncritic - How far?\n"
        "writer - Frogs leap far.\ncritic - APPROVE\n"
        "agents with state: ['RoundRobinGroupChatManager', 'critic', 'writer']\n"
        "the tool is called count_words\n"
    ),
}
BLOCKED = """
import runpy, sys
sys.modules["autogen_core"] = None
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def run(server: Any, name: str, cwd: Path) -> CompletedProcess[str]:
    done: CompletedProcess[str] = server.run(str(EXAMPLES / f"{name}.py"), cwd=cwd)
    return done


def test_every_example_is_run():
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == {f"{name}_{when}" for name in PRINTED for when in ("before", "after")}


@pytest.mark.parametrize("name", PRINTED)
def test_the_program_runs_on_autogen_before(fork_server: Any, name: str, tmp_path: Path):
    done = run(fork_server(*DEPENDENCIES), f"{name}_before", tmp_path)
    assert (done.returncode, done.stdout) == (0, PRINTED[name]), done.stderr


@pytest.mark.parametrize("name", PRINTED)
def test_the_program_runs_on_ferrogen_after(fork_server: Any, name: str, tmp_path: Path):
    done = run(fork_server(*DEPENDENCIES), f"{name}_after", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, PRINTED[name], "")


@pytest.mark.parametrize("name", ["newsroom", "tool_assistant"])
def test_the_program_no_longer_needs_autogen(fork_server: Any, name: str, tmp_path: Path):
    (tmp_path / "blocked.py").write_text(BLOCKED)
    program = EXAMPLES / f"{name}_after.py"
    done = fork_server(*DEPENDENCIES).run("blocked.py", str(program), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, PRINTED[name]), done.stderr


def test_the_team_needs_no_change_under_ferrogen_run(fork_server: Any, tmp_path: Path):
    done = run(fork_server(*DEPENDENCIES, installed=True), "review_team_before", tmp_path)
    assert (done.returncode, done.stdout) == (0, PRINTED["review_team"]), done.stderr


def test_the_error_of_the_unchanged_tool_assistant_names_the_change(
    fork_server: Any, tmp_path: Path
):
    done = run(fork_server(*DEPENDENCIES, installed=True), "tool_assistant_before", tmp_path)
    assert done.returncode == 1
    assert "with ferrogen.tools.allow_source_text():" in done.stderr
