"""``ferrogen --version``: print the version and leave."""

from __future__ import annotations

from importlib.metadata import version

import typer


def print_version(wanted: bool) -> None:
    """Print the version of Ferrogen, if that is wanted."""
    if wanted:
        typer.echo(f"ferrogen {version('ferrogen')}")
        raise typer.Exit
