"""The project that ``ferrogen new`` makes passes mypy in strict mode."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import ferrogen
from ferrogen.cli.main import main

PACKAGES = Path(ferrogen.__file__).parent.parent
CACHE = Path(__file__).parents[2] / ".mypy_cache" / "new_project"


@pytest.mark.timeout(900)
def test_the_project_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache for all names: almost all of the time is for the packages that they import."""
    monkeypatch.chdir(tmp_path)
    for name in ("weather", "My-Weather_Desk2", "n" * 50):
        assert main(["new", name]) == 0
        done = subprocess.run(
            [sys.executable, "-m", "mypy", "--cache-dir", str(CACHE)],
            cwd=tmp_path / name,
            env={**os.environ, "PYTHONPATH": str(PACKAGES), "MYPYPATH": "", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
