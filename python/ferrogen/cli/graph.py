"""``ferrogen graph``: the topology of a runtime as a diagram."""

from __future__ import annotations

import asyncio
import inspect
import sys
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ferrogen.compat.install import install

if TYPE_CHECKING:
    from ferrogen import Topology


class GraphFormat(str, Enum):
    """A format of diagrams."""

    MERMAID = "mermaid"
    DOT = "dot"
    SVG = "svg"


def graph(
    target: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:NAME", help="A runtime, or a function (or coroutine) that returns one."
        ),
    ],
    format: Annotated[
        GraphFormat, typer.Option("--format", "-f", help="The format of the diagram.")
    ] = GraphFormat.MERMAID,
    direct: Annotated[
        bool, typer.Option("--direct", help="Show the subscriptions for direct messages too.")
    ] = False,
) -> None:
    """Print which topics the agent types of a runtime subscribe to, as a diagram."""
    # Programs are often written for autogen_core; it has to be ferrogen's.
    install()
    topology = asyncio.run(_topology(target, _find(target)))
    texts = {
        GraphFormat.MERMAID: topology.to_mermaid,
        GraphFormat.DOT: topology.to_dot,
        GraphFormat.SVG: topology.to_svg,
    }
    typer.echo(texts[format](direct=direct), nl=False)


def _find(target: str) -> Any:
    module_name, _, name = target.partition(":")
    if not module_name or not name:
        _refuse(f'"{target}" does not name a runtime: write MODULE:NAME, for example app:make')
    # As with `python -m`.
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        _refuse(f'there is no module "{module_name}" in this folder or on the path of Python')
    for part in name.split("."):
        if not hasattr(found, part):
            _refuse(f'module "{module_name}" has no "{name}"')
        found = getattr(found, part)
    return found


async def _topology(target: str, found: Any) -> Topology:
    from ferrogen import SingleThreadedAgentRuntime

    made = found
    if callable(found):
        made = found()
        if inspect.isawaitable(made):
            made = await made
    if not isinstance(made, SingleThreadedAgentRuntime):
        _refuse(f'"{target}" is of class {type(made).__name__}, not a SingleThreadedAgentRuntime')
    topology = made.topology()
    await made.close()
    return topology


def _refuse(sentence: str) -> NoReturn:
    typer.echo(f"ferrogen graph: {sentence}", err=True)
    raise typer.Exit(2)
