"""Runs the `ferrogen` command in an empty folder: in this process, in a fork, or as a new one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ferrogen.cli.app import app
from ferrogen.models.registry import lookup

from ..imported_modules import FERROGEN, STRICT

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def call(tmp_path: Path) -> Callable[..., Done]:
    """Call Python with arguments, in an empty folder; return what came of it."""

    def call_python(*arguments: str, text: str | None = None) -> Done:
        clean = {name: text for name, text in os.environ.items() if name != "FERROGEN_INSTALL"}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**clean, "NO_COLOR": "1"},
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )

    return call_python


@pytest.fixture
def process(call: Callable[..., Done]) -> Callable[..., Done]:
    """Call the command as a new process: for tests about exit codes, signals and `exec`."""

    def call_command(*arguments: str, text: str | None = None) -> Done:
        return call("-m", "ferrogen", *arguments, text=text)

    return call_command


@pytest.fixture
def fork(fork_server: Any, tmp_path: Path) -> Callable[..., Done]:
    """Call the command in a fork: for commands that change their process, as `install()` does."""
    server = fork_server(*FERROGEN, flags=STRICT)

    def call_command(*arguments: str) -> Done:
        done: Done = server.run("-m", "ferrogen", *arguments, cwd=tmp_path)
        return done

    return call_command


@pytest.fixture
def ferrogen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Call the command in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("FERROGEN_INSTALL", raising=False)
    monkeypatch.setattr(lookup, "_added", {})

    def call_command(*arguments: str, text: str | None = None) -> Done:
        done = CliRunner().invoke(app, arguments, input=text, catch_exceptions=False)
        return Done(list(arguments), done.exit_code, done.stdout, done.stderr)

    return call_command
