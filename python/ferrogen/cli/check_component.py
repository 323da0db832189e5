"""``ferrogen check-component``: every fault of components in files, and nothing is made of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ferrogen.compat.install import install


def check_component(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="JSON, YAML or TOML, by the suffix.")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object with the faults of each file.")
    ] = False,
) -> None:
    """Find every fault of the components in files, without making them."""
    # Components are often built on autogen_core; it has to be ferrogen's.
    install()
    from ferrogen.components.checking import check_component as faults_of
    from ferrogen.components.files import read_data
    from ferrogen.exceptions import FerrogenError

    found: dict[str, list[dict[str, Any]]] = {}
    for file in files:
        try:
            faults = faults_of(read_data(file))
        except (OSError, FerrogenError) as error:
            typer.echo(f"ferrogen check-component: {error}", err=True)
            raise typer.Exit(2) from error
        found[str(file)] = [asdict(fault) for fault in faults]
        if not as_json:
            lines = [str(fault) for fault in faults] or ["no faults"]
            typer.echo("\n".join(f"{file}: {line}" for line in lines))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    if any(found.values()):
        raise typer.Exit(1)
