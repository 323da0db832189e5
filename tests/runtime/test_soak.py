"""A short run of the soak program: random messages, checked against a ledger."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "soak.py"


@pytest.mark.parametrize("profile", ["mixed", "passivation"])
def test_a_short_soak_run_finds_no_violation(profile):
    arguments = ["--messages", "200", "--seed", "1", "--profile", profile]
    ended = subprocess.run(
        [sys.executable, str(TOOL), *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]
    assert "exercised:" in ended.stdout
