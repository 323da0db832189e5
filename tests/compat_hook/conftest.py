"""Runs each hook test in an interpreter of its own: a hook cannot be taken out of a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

RunProgram = Callable[..., str]


@pytest.fixture
def run_program(tmp_path: Path) -> RunProgram:
    """Run a program as a file in an empty folder, demand that it succeeds, return its output."""

    def run(program: str, **environment: str) -> str:
        path = tmp_path / "program.py"
        path.write_text(dedent(program))
        clean = {name: text for name, text in os.environ.items() if name != "FERROGEN_INSTALL"}
        done = subprocess.run(
            [sys.executable, "-W", "error", str(path)],
            env={**clean, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
