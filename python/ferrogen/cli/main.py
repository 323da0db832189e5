"""The ``ferrogen`` command: the commands that need only Python, and the others."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

# Each has a `main` that takes its arguments and returns the exit status, and works without the
# `cli` extra: they are what people start with.
PLAIN_COMMANDS = {
    "run": "ferrogen.cli.run",
    "new": "ferrogen.cli.new",
    "skill": "ferrogen.cli.skill",
}

_WITHOUT_TYPER = """\
usage: ferrogen run PROGRAM [ARGS]...     run a program written for AutoGen on Ferrogen
       ferrogen new NAME                  make a project
       ferrogen skill [--install FOLDER]  print the migration guide for coding agents
       ferrogen --version

All other commands need typer and rich: pip install 'ferrogen[cli]'
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What stands behind ``ferrogen``; by default those of the process.

    Returns:
        The exit status.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in PLAIN_COMMANDS:
        return run_plain(given[0], given[1:])
    if given == ["--version"]:
        print_version()
        return 0
    if find_spec("typer") is None:
        return _without_typer(given)
    from ferrogen.cli.app import app

    app(given)
    return 0


def run_plain(name: str, arguments: Sequence[str]) -> int:
    """Run a command that needs only Python; return its exit status."""
    status: int = import_module(PLAIN_COMMANDS[name]).main(arguments)
    return status


def print_version() -> None:
    """Print the version of Ferrogen."""
    from ferrogen._core import __version__

    print(f"ferrogen {__version__}")


def _without_typer(given: Sequence[str]) -> int:
    if not given or given[0] in ("--help", "-h"):
        print(_WITHOUT_TYPER, end="")
        return 0
    print(
        f'ferrogen: the command "{given[0]}" needs typer, which is not installed: '
        "pip install 'ferrogen[cli]' (run, new and skill work without it)",
        file=sys.stderr,
    )
    return 2
