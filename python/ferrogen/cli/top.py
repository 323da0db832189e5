"""``ferrogen top``: the statistics of the runtimes of running processes."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

_SECONDS = 5.0
_HOW = (
    "start the program with FERROGEN_STATS=1 in its environment, or call "
    "runtime.serve_stats(...) in it"
)


def top(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[PID|SOCKET]",
            help="A process, or the path of a socket; all processes of this user if left out.",
            show_default=False,
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Print the table once.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, once.")] = False,
    interval: Annotated[
        float, typer.Option("--interval", "-n", min=0.1, help="The seconds between two readings.")
    ] = 1.0,
) -> None:
    """Show the messages of running programs by agent type: queued, running, handled, times."""
    found = _read_all(target)
    if as_json:
        typer.echo(json.dumps({"runtimes": [one.document for one in found]}, indent=2))
        return
    from rich.console import Console

    console = Console()
    if once or not console.is_terminal:
        # A pipe has no width.
        wide = console if console.is_terminal else Console(width=200)
        wide.print(_render(found, {}))
        return
    _watch(console, target, found, interval)


@dataclass(frozen=True)
class _Reading:
    """The statistics that a runtime has sent."""

    path: Path
    document: dict[str, Any]


# Reading.


def _read_all(target: str | None) -> list[_Reading]:
    """Read the statistics of all runtimes that are meant, or end the program."""
    paths, is_certain = _paths(target)
    documents = ((path, _try_to_read(path, is_certain=is_certain)) for path in paths)
    found = [_Reading(path, document) for path, document in documents if document is not None]
    if not found:
        whose = f"process {target} serves no statistics" if target else "no program serves any"
        _refuse(f"{whose}: {_HOW}")
    return found


def _try_to_read(path: Path, *, is_certain: bool) -> dict[str, Any] | None:
    try:
        return _read(path)
    except (FileNotFoundError, ConnectionError) as error:
        if is_certain:
            _refuse(f"nothing listens at {path} ({error.strerror}): the program has ended?")
        return None  # the socket of a process that was killed
    except TimeoutError:
        _refuse(f"{path} has not responded for {_SECONDS:g} seconds: the program is busy")
    except (OSError, ValueError) as error:
        _refuse(f"{path} cannot be read: {error}")


def _paths(target: str | None) -> tuple[list[Path], bool]:
    """Return the sockets that are meant, and whether each must be there."""
    from ferrogen.runtime.introspection.stats_server import stats_folder

    if target is not None and not target.isdecimal():
        return [Path(target)], True
    try:
        folder = stats_folder()
    except PermissionError as error:
        _refuse(str(error))
    return sorted(folder.glob(f"{target or '*'}-*.sock")), False


def _read(path: Path) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_SECONDS)
        connection.connect(str(path))
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    document = json.loads(b"".join(parts))
    if not isinstance(document, dict) or "stats" not in document:
        raise ValueError("it does not send statistics of Ferrogen")
    return document


def _refuse(sentence: str) -> NoReturn:
    typer.echo(f"ferrogen top: {sentence}", err=True)
    raise typer.Exit(1)


# Showing.


def _watch(console: Any, target: str | None, found: list[_Reading], interval: float) -> None:
    from rich.live import Live

    before: dict[Path, _Reading] = {}
    try:
        with Live(_render(found, before), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(interval)
                before = {one.path: one for one in found}
                found = _read_all(target)
                live.update(_render(found, before), refresh=True)
    except KeyboardInterrupt:
        pass  # the way to end it


def _render(found: list[_Reading], before: dict[Path, _Reading]) -> RenderableType:
    from rich.console import Group

    return Group(*(_table(one, before.get(one.path)) for one in found))


_ALWAYS = ("queued", "running", "handled", "failed")
_IF_ANY = ("cancelled", "expired", "dropped", "retried", "restarted")
_TIMES = (
    ("wait\np50", "waiting_time", "p50"),
    ("wait\np99", "waiting_time", "p99"),
    ("run\np50", "handling_time", "p50"),
    ("run\np99", "handling_time", "p99"),
    ("run\nmax", "handling_time", "max"),
)


def _table(reading: _Reading, before: _Reading | None) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    document = reading.document
    stats = document["stats"]
    program = Path(str(document.get("program", ""))).name
    title = f"{program}, process {document.get('pid')}, runtime {document.get('runtime')}"
    table = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD, collapse_padding=True)
    table.add_column("agent type", no_wrap=True)
    counts = [*_ALWAYS, *(name for name in _IF_ANY if stats[name])]
    for name in (*counts, "per s", *(title for title, _, _ in _TIMES)):
        table.add_column(name, justify="right", no_wrap=True)
    earlier = before.document if before is not None else document
    seconds = document["time"] - earlier["time"]
    known = earlier["stats"]["agent_types"]
    for name, row in stats["agent_types"].items():
        table.add_row(escape(name), *_cells(row, known.get(name), counts, seconds))
    table.add_section()
    table.add_row("all", *_cells(stats, earlier["stats"], counts, seconds))
    return table


def _cells(
    row: dict[str, Any], earlier: dict[str, Any] | None, counts: list[str], seconds: float
) -> list[str]:
    handled = row["handled"] - (earlier["handled"] if earlier is not None else 0)
    return [
        *(f"{row[name]:,}" if row[name] else "-" for name in counts),
        f"{handled / seconds:,.0f}" if seconds > 0 else "-",
        *(_time(row[of][name]) if row[of]["count"] else "-" for _, of, name in _TIMES),
    ]


def _time(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:,.3g}s" if seconds < 1000 else f"{seconds:,.0f}s"
    for unit, factor in (("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g}{unit}"
    return f"{seconds * 1e9:.0f}ns" if seconds else "0"
