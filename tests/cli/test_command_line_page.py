"""The guide to the command line names every command and every environment variable."""

import re
from pathlib import Path

import typer

from ferrogen.cli.app import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guides" / "command-line.md").read_text(encoding="utf-8")
VARIABLE = re.compile(r"\b(?:FERROGEN|AUTOGEN)_[A-Z_]+[A-Z]\b")


def test_every_command_has_a_row():
    rows = re.findall(r"^\| `ferrogen ([a-z-]+)` \|", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(typer.main.get_command(app).commands)


def test_every_environment_variable_has_a_row():
    rows = set(VARIABLE.findall(PAGE))
    sources = sorted((ROOT / "python").rglob("*.py"))
    read = {
        name for source in sources for name in VARIABLE.findall(source.read_text(encoding="utf-8"))
    }
    assert rows == read
