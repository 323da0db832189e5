"""``ferrogen mcp``: tools as an MCP server."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ferrogen.compat.install import install

mcp = typer.Typer(name="mcp", help="Tools as an MCP server.", no_args_is_help=True)


@mcp.callback()
def options() -> None:
    """Tools as an MCP server."""


@mcp.command()
def serve(
    tools: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:TOOLS",
            help="Tools, functions, a list of them, or a workbench, by module and attribute.",
        ),
    ],
    http: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:]PORT", help="Serve over streamable HTTP; by default over stdio."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The name of the server.")] = None,
) -> None:
    """Serve tools to an MCP client."""
    install()  # the module may be written for AutoGen
    from ferrogen.exceptions import FerrogenError
    from ferrogen.tools.mcp.sdk import sdk
    from ferrogen.tools.mcp.server import McpServer

    try:
        sdk()  # an error here, rather than a traceback later
        module, served = _load(tools)
        server = McpServer(served, name or module)
        if http is None:
            work = server.serve_stdio()
        else:
            host, _, port = http.rpartition(":")
            work = server.serve_http(host or "127.0.0.1", int(port))
    except (FerrogenError, ImportError, AttributeError, TypeError, ValueError) as error:
        typer.echo(f"ferrogen mcp serve: {error}", err=True)
        raise typer.Exit(2) from error
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        sys.stderr.flush()
        os._exit(130)  # a thread may wait for input that does not come


def _load(path: str) -> tuple[str, Any]:
    from ferrogen.tools.workbench import Workbench

    module, separator, attribute = path.partition(":")
    if not separator or not attribute:
        raise ValueError(f"{path!r} names no tools; write module:attribute")
    sys.path.insert(0, str(Path.cwd()))
    found: Any = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    if not isinstance(found, (Workbench, list, tuple)):
        found = [found]
    return module, found
