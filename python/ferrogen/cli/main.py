"""The ``ferrogen`` command: the commands that need only Python, and the others."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

from ferrogen.cli.plain import PLAIN_COMMANDS, print_version, run_plain

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
        arguments: The arguments after ``ferrogen``; by default those of the process.

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
