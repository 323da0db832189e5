"""The table of commands."""

import re
import sysconfig
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from subprocess import CompletedProcess, run

Call = Callable[..., CompletedProcess[str]]


def test_version_is_that_of_the_package(ferrogen: Call):
    ours = ferrogen("--version")
    assert (ours.returncode, ours.stdout) == (0, f"ferrogen {version('ferrogen')}\n")


def test_help_lists_every_command(process: Call):
    ours = process("--help")
    assert ours.returncode == 0
    for command in ("run", "models", "chat", "check-component"):
        assert re.search(rf"^\W*{command} ", ours.stdout, re.MULTILINE)
    assert "python -m ferrogen" in ours.stdout


def test_help_of_run_is_for_ferrogen_when_no_program_stands_before_it(ferrogen: Call):
    ours = ferrogen("run", "--help")
    assert ours.returncode == 0
    assert "PROGRAM" in ours.stdout


def test_unknown_command_is_a_usage_error(ferrogen: Call):
    ours = ferrogen("walk")
    assert ours.returncode == 2
    assert "walk" in ours.stderr


def test_installed_script_is_the_same_command():
    script = Path(sysconfig.get_path("scripts")) / "ferrogen"
    done = run([script, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"ferrogen {version('ferrogen')}\n")
