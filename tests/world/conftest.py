"""Runs the programs in the environment where the packages of the AutoGen world are installed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).with_name("programs")

# The loopback interface is no affair of a proxy. That the tools in a team's config may be source
# text, which loading runs, is for the person who runs the program to say.
GIVEN = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "FERROGEN_ALLOW_SOURCE_TEXT": "1"}

RunProgram = Callable[..., str]


@pytest.fixture(scope="session")
def interpreter() -> str:
    """The Python of that environment: `make test` makes it, and says here where it is."""
    path = os.environ.get("WORLD_PYTHON", "")
    if not path:
        pytest.fail("run these tests by `make test-python ARGS=tests/world`, or name WORLD_PYTHON")
    # Ferrogen's compiled part is shared with the environment that this Python belongs to.
    version = "import sys; print(sys.version_info[:2])"
    there = subprocess.run([path, "-c", version], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == str(sys.version_info[:2])
    return path


@pytest.fixture
def run_program(interpreter: str, tmp_path: Path) -> RunProgram:
    """Run a program on upstream or on Ferrogen, demand that it succeeds, return its output."""

    def run(program: Path, runtime: str, *arguments: str) -> str:
        if program.stem == "grpc_worker" and sys.version_info >= (3, 14):
            pytest.skip("autogen-ext demands grpcio 1.70, which does not build on Python 3.14")
        runner = {"upstream": [], "ferrogen": ["-m", "ferrogen", "run"]}[runtime]
        kept = {name: text for name, text in os.environ.items() if name != "FERROGEN_INSTALL"}
        done = subprocess.run(
            [interpreter, *runner, str(program), *arguments],
            env={**kept, **GIVEN},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, f"on {runtime}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run
