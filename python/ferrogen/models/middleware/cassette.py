"""Cassettes: JSON files of recorded exchanges.

The file is complete after every exchange: the next one is written over the brackets that end it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ferrogen.exceptions import CassetteError, ModelError
from ferrogen.models.middleware.json_forms import read_failure, read_result
from ferrogen.models.model_info import ModelInfo, validate_model_info
from ferrogen.models.results import CreateResult

_VERSION = 1
_END = b"\n  ]\n}\n"


@dataclass(frozen=True)
class Exchange:
    """A request and what came of it: pieces, if it was streamed, and a result or a failure."""

    number: int
    request: dict[str, Any]
    streaming: bool
    pieces: Sequence[str]
    end: CreateResult | ModelError


@dataclass(frozen=True)
class Cassette:
    """The contents of a file: the client, and the exchanges in the order of their beginning."""

    model_info: ModelInfo
    context_length: int | None
    exchanges: Sequence[Exchange]


def begin_cassette(path: Path, model_info: ModelInfo, context_length: int | None) -> None:
    """Write a file without exchanges."""
    head = {
        "cassette": _VERSION,
        "model_info": model_info,
        "context_length": context_length,
        "exchanges": [],
    }
    path.write_bytes(_indented(head).removesuffix(b"]\n}") + _END)


def add_exchange(path: Path, exchange: dict[str, Any]) -> None:
    """Write an exchange behind the others."""
    text = _indented(exchange).replace(b"\n", b"\n    ")
    with path.open("r+b") as file:
        content = file.seek(0, 2) - len(_END)
        file.seek(content - 1)
        separator = b"\n    " if file.read(1) == b"[" else b",\n    "
        file.write(separator + text + _END)


def read_cassette(path: Path) -> Cassette:
    """Read a file.

    Raises:
        CassetteError: The file is not a cassette, or an edit has broken it.
        OSError: It cannot be read.
    """
    try:
        form = json.loads(path.read_text(encoding="utf-8"))
        if form["cassette"] != _VERSION:
            raise ValueError(f"it is of version {form['cassette']}, which is not known")
        validate_model_info(form["model_info"])
        if not isinstance(form["context_length"], int | None):
            raise TypeError("its context_length is not a number")
        exchanges = sorted(map(_read_exchange, form["exchanges"]), key=lambda each: each.number)
        return Cassette(form["model_info"], form["context_length"], exchanges)
    except KeyError as error:
        raise CassetteError(f"{path} is not a cassette: it lacks {error}") from error
    except (ValueError, TypeError, ValidationError) as error:
        raise CassetteError(f"{path} is not a cassette: {error}") from error


def _read_exchange(form: dict[str, Any]) -> Exchange:
    recorded = form["answer"]
    end = (
        read_failure(recorded["error"]) if "error" in recorded else read_result(recorded["result"])
    )
    pieces = recorded.get("pieces", [])
    return Exchange(form["number"], form["request"], form["streaming"], pieces, end)


def _indented(value: Any) -> bytes:
    try:
        return json.dumps(value, indent=2, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a surrogate pair: JSON can write it, UTF-8 cannot
        return json.dumps(value, indent=2).encode()
