"""``ferrogen models``: known models by name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ferrogen.models.registry import ModelEntry, Price

_HEADINGS = ("MODEL", "FAMILY", "CONTEXT", "ABILITIES", "$ PER MILLION TOKENS", "AS OF")


def models(
    words: Annotated[
        str,
        typer.Argument(metavar="[WORDS]", help="Only models with this in name, family or maker."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, with all details.")] = False,
    files: Annotated[
        list[Path] | None,
        typer.Option("--file", metavar="FILE", help="Also list the models of this TOML file."),
    ] = None,
) -> None:
    """List the models that are known, with what they can do and what they cost."""
    from ferrogen.exceptions import ModelInfoError
    from ferrogen.models.registry import known_models, register_models

    try:
        for file in files or []:
            register_models(file)
    except (ModelInfoError, OSError) as error:
        typer.echo(f"ferrogen models: {error}", err=True)
        raise typer.Exit(2) from None
    wanted = words.lower()
    found = {
        name: entry
        for name, entry in known_models().items()
        if any(wanted in text.lower() for text in (name, entry.family, entry.provider))
    }
    if as_json:
        typer.echo(json.dumps({name: _details(entry) for name, entry in found.items()}, indent=2))
        return
    if not found:
        typer.echo(f'ferrogen models: there is no model with "{words}"', err=True)
        raise typer.Exit(1)
    for line in _table([_HEADINGS, *(_row(name, entry) for name, entry in found.items())]):
        typer.echo(line)


def _row(name: str, entry: ModelEntry) -> tuple[str, ...]:
    return (
        name,
        entry.family,
        f"{entry.context_length:,}" if entry.context_length else "-",
        ", ".join(entry.abilities) or "-",
        "; ".join(map(_price, entry.prices)) or "-",
        entry.as_of or "-",
    )


def _price(price: Price) -> str:
    cached = "" if price.cached is None else f" ({price.cached:g} cached)"
    over = f", over {price.over:,}" if price.over else ""
    return f"{price.input:g}{cached} in, {price.output:g} out{over}"


def _details(entry: ModelEntry) -> dict[str, Any]:
    import msgspec

    details: dict[str, Any] = msgspec.to_builtins(entry)
    return details


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
