"""``ferrogen audit``: audit logs of guards."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

audit = typer.Typer(name="audit", help="Audit logs of tool guards.", no_args_is_help=True)


@audit.callback()
def options() -> None:
    """Audit logs of tool guards."""


@audit.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The audit log.")],
    key: Annotated[
        str | None,
        typer.Option(
            envvar="FERROGEN_AUDIT_KEY",
            show_envvar=True,
            help="The key that the log was written with. Other users can see command lines.",
        ),
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="The hash of a record that has to be there.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Check that an audit log is unchanged: exit code 1 if it is not."""
    from ferrogen.tools.guarding.audit_chain import verify_audit_log

    try:
        report = verify_audit_log(file, key=key, head=head)
    except OSError as error:
        typer.echo(f"ferrogen audit verify: {error}", err=True)
        raise typer.Exit(2) from error
    if as_json:
        typer.echo(json.dumps({**asdict(report), "is_intact": report.is_intact}, indent=2))
    elif report.is_intact:
        state = "closed" if report.is_closed else "not closed: it is in use, or its process died"
        typer.echo(f"{file}: intact, {report.records} records, {state}\nhead {report.head}")
    else:
        typer.echo("\n".join(f"{file}: {fault}" for fault in report.faults))
    if not report.is_intact:
        raise typer.Exit(1)
