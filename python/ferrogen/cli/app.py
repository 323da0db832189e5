"""The table of commands for typer; each has a file of its own beside this one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from ferrogen.cli.audit import audit
from ferrogen.cli.chat import chat
from ferrogen.cli.check_component import check_component
from ferrogen.cli.doctor import doctor
from ferrogen.cli.graph import graph
from ferrogen.cli.mcp import mcp
from ferrogen.cli.memory import memory
from ferrogen.cli.models import models
from ferrogen.cli.plain import print_version, run_plain
from ferrogen.cli.top import top

app = typer.Typer(
    name="ferrogen",
    help="Run programs written for AutoGen on Ferrogen, and try models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# These parse their arguments themselves.
_UNPARSED: dict[str, Any] = {
    "add_help_option": False,
    "context_settings": {"ignore_unknown_options": True, "allow_interspersed_args": False},
}
_Arguments = Annotated[list[str] | None, typer.Argument()]


def _plain(name: str, summary: str) -> None:
    def command(arguments: _Arguments = None) -> None:
        raise typer.Exit(run_plain(name, arguments or []))

    added: Callable[[Any], Any] = app.command(name, help=summary, **_UNPARSED)
    added(command)


_plain("run", "Run a program with ferrogen in the place of autogen_core.")
_plain("new", "Make a project: an agent, a tool, a test and a program.")
_plain("skill", "Print or install the migration guide for coding agents.")
app.command()(models)
app.command()(chat)
app.command()(check_component)
app.command()(graph)
app.command()(top)
app.add_typer(audit)
app.add_typer(mcp)
app.add_typer(memory)
app.command()(doctor)


def _version(wanted: bool) -> None:
    if wanted:
        print_version()
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_version),
    ] = False,
) -> None:
    """Take the options that stand before any command."""
