"""Runs the programs in the environment where AgentChat and other packages are installed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..fork_server import ForkServer

# The loopback interface is used without a proxy. Source text in the configs of tools is trusted.
GIVEN = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "FERROGEN_ALLOW_SOURCE_TEXT": "1"}

# What most programs import, and what takes long.
IMPORTED = (
    *("autogen_agentchat.agents", "autogen_agentchat.teams", "autogen_agentchat.tools"),
    *("autogen_agentchat.ui", "autogen_ext.models.openai", "autogen_ext.models.replay"),
    *("openai.resources.chat.completions", "anyio._backends._asyncio"),
)


@pytest.fixture(scope="session")
def interpreter() -> str:
    """The Python of that environment: `make test` makes it, and says here where it is."""
    path = os.environ.get("ECOSYSTEM_PYTHON", "")
    if not path:
        pytest.fail("run these tests by `make test-python ARGS=tests/ecosystem`")
    # Ferrogen's compiled part is shared with the environment that this Python belongs to.
    version = "import sys; print(sys.version_info[:2])"
    there = subprocess.run([path, "-c", version], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == str(sys.version_info[:2])
    return path


@pytest.fixture
def run_program(interpreter: str, fork_server: Callable[..., ForkServer], tmp_path: Path) -> Any:
    """Run a program on upstream or on Ferrogen, demand that it succeeds, return its output.

    It runs in a fork of an interpreter that has imported AgentChat, or with `fresh` in a new one.
    """

    def run(program: Path, runtime: str, *arguments: str, fresh: bool = False) -> str:
        if program.stem == "grpc_worker" and sys.version_info >= (3, 14):
            pytest.skip("autogen-ext demands grpcio 1.70, which does not build on Python 3.14")
        command = [str(program), *arguments]
        kept = {name: text for name, text in os.environ.items() if name != "FERROGEN_INSTALL"}
        environment = {**kept, **GIVEN}
        done: subprocess.CompletedProcess[str]
        if fresh:
            runner = {"upstream": [], "ferrogen": ["-m", "ferrogen", "run"]}[runtime]
            done = subprocess.run(
                [interpreter, *runner, *command],
                env=environment,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=150,
                check=False,
            )
        else:
            installed = runtime == "ferrogen"
            forks = fork_server(*IMPORTED, python=interpreter, installed=installed)
            done = forks.run(*command, env=environment, cwd=tmp_path)
        assert done.returncode == 0, f"on {runtime}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run
