"""The table of commands; each has a file of its own beside this one."""

from __future__ import annotations

from typing import Annotated

import typer

from ferrogen.cli.audit import audit
from ferrogen.cli.chat import chat
from ferrogen.cli.check_component import check_component
from ferrogen.cli.doctor import doctor
from ferrogen.cli.graph import graph
from ferrogen.cli.mcp import mcp
from ferrogen.cli.memory import memory
from ferrogen.cli.models import models
from ferrogen.cli.run import run
from ferrogen.cli.top import top
from ferrogen.cli.version import print_version

app = typer.Typer(
    name="ferrogen",
    help="Run programs written for AutoGen on Ferrogen, and try models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# What comes after the program is the program's.
app.command(context_settings={"allow_interspersed_args": False})(run)
app.command()(models)
app.command()(chat)
app.command()(check_component)
app.command()(graph)
app.command()(top)
app.add_typer(audit)
app.add_typer(mcp)
app.add_typer(memory)
app.command()(doctor)


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=print_version),
    ] = False,
) -> None:
    """Take the options that stand before any command."""


def main() -> None:
    """Run the command line."""
    app()
