"""Programs that run in processes of their own: in forks of an interpreter, or in new ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

RunProgram = Callable[[str], str]
FLAGS = ("-W", "error", "-X", "faulthandler")
ROOT = Path(__file__).parents[2]


def output_of(done: subprocess.CompletedProcess[str]) -> str:
    """Check that a program succeeded, and return its output; a crash is an exit code."""
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert "panicked" not in done.stderr, done.stderr
    return done.stdout


@pytest.fixture
def run_program(fork_server: Any, tmp_path: Path) -> RunProgram:
    """Run a program in a fork, and return its output. A deadlock shows as a timeout."""
    server = fork_server("ferrogen", flags=FLAGS, finalizing=True)

    def run(program: str) -> str:
        path = tmp_path / "program.py"
        path.write_text(dedent(program))
        return output_of(server.run(str(path), env={**os.environ, "PYTHONPATH": str(ROOT)}))

    return run


@pytest.fixture
def run_interpreter() -> RunProgram:
    """Do the same in a new interpreter, for a program that starts itself again."""

    def run(program: str) -> str:
        return output_of(
            subprocess.run(
                [sys.executable, *FLAGS, "-c", dedent(program)],
                capture_output=True,
                text=True,
                timeout=150,
                check=False,
            )
        )

    return run
