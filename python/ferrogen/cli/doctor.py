"""``ferrogen doctor``: the layers of the sandbox that work here, and advice about the others."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

_MARKS = {True: "yes", False: "NO ", None: "-  "}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Try each layer of the sandbox for code; the exit status is 0 if code can be isolated."""
    from ferrogen.code_executor.sandbox.diagnosis import diagnose

    diagnosis = diagnose()
    if as_json:
        typer.echo(json.dumps(asdict(diagnosis), indent=2))
    else:
        for finding in diagnosis.findings:
            typer.echo(f"{_MARKS[finding.works]}  {finding.layer}: {finding.detail}")
            if finding.advice:
                typer.echo(f"     {finding.advice}")
        if diagnosis.isolations:
            typer.echo(f"code is isolated by {diagnosis.isolations[0]}")
        else:
            typer.echo("code cannot be isolated here, and SandboxCodeExecutor refuses to run it")
    if not diagnosis.isolations:
        raise typer.Exit(1)
