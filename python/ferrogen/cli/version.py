"""``ferrogen --version``: print the version and leave."""

from __future__ import annotations

import typer

from ferrogen._core import __version__


def print_version(wanted: bool) -> None:
    """Print the version of Ferrogen, if that is wanted."""
    if wanted:
        typer.echo(f"ferrogen {__version__}")
        raise typer.Exit
