"""Runs the ``ferrogen`` command as a person does: as a process, in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Process = subprocess.CompletedProcess[str]


@pytest.fixture
def call(tmp_path: Path) -> Callable[..., Process]:
    """Call Python with arguments, in an empty folder; return what came of it."""

    def call_python(*arguments: str, text: str | None = None) -> Process:
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
def ferrogen(call: Callable[..., Process]) -> Callable[..., Process]:
    """Call the command with arguments."""

    def call_command(*arguments: str, text: str | None = None) -> Process:
        return call("-m", "ferrogen", *arguments, text=text)

    return call_command
