"""Programs that run in separate processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

RunProgram = Callable[[str], str]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def run_program() -> RunProgram:
    """Run a program, check that it succeeds in time, and return its output.

    A deadlock shows as a timeout, and a crash or a panic as an exit code.
    """

    def run(program: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-X", "faulthandler", "-c", dedent(program)],
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        assert "panicked" not in done.stderr, done.stderr
        return done.stdout

    return run
