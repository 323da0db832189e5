"""The commands that need only Python."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

# Each has a `main` that takes its arguments and returns the exit status, and works without the
# `cli` extra: they are what people start with.
PLAIN_COMMANDS = {
    "run": "ferrogen.cli.run",
    "new": "ferrogen.cli.new",
    "skill": "ferrogen.cli.skill",
}


def run_plain(name: str, arguments: Sequence[str]) -> int:
    """Run a command that needs only Python; return its exit status."""
    status: int = import_module(PLAIN_COMMANDS[name]).main(arguments)
    return status


def print_version() -> None:
    """Print the version of Ferrogen."""
    from ferrogen._core import __version__

    print(f"ferrogen {__version__}")
