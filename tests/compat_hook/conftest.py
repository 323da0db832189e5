"""Runs each hook test in a process of its own: a hook cannot be taken out of a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from ..imported_modules import DEPENDENCIES, STRICT

RunProgram = Callable[..., str]


@pytest.fixture
def run_program(fork_server: Any, tmp_path: Path) -> RunProgram:
    """Run a program as a file in an empty folder, demand that it succeeds, return its output.

    It runs in a fork of an interpreter that has imported nothing of Ferrogen or AutoGen, or in a
    new interpreter when it is about how that starts: when it is given an environment.
    """
    forks = fork_server(*DEPENDENCIES, flags=STRICT)

    def run(program: str, **environment: str) -> str:
        path = tmp_path / "program.py"
        path.write_text(dedent(program))
        if not environment:
            done = forks.run(str(path))
            assert done.returncode == 0, done.stderr
            return str(done.stdout)
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
