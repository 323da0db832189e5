"""Redaction of keys and other secrets in recorded files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Any

from pydantic import SecretStr

from ferrogen.exceptions import SecretError
from ferrogen.models.client import ChatCompletionClient
from ferrogen.models.middleware.middleware import Middleware
from ferrogen.models.providers._secrets import is_secret_name

REDACTED = "[redacted]"

# How the services shape their keys, and how keys stand in a header.
_SHAPES = (
    r"\b(?:sk|pk|rk|gsk|xai|hf|ghp|github_pat|glpat|AIza)[-_]?[A-Za-z0-9_-]{16,}",
    r"\bBearer\s+[^\s\"']{6,}",
    r"(?P<name>(?i:api[-_]?key|access[-_]?token|authorization)[\"']?\s*[:=]\s*[\"']?)"
    r"(?:(?:Bearer|Basic)\s+)?[^\s\"',}]{4,}",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
)
_VARIABLES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$")
_SHORTEST = 8  # what is shorter stands in ordinary text too


class Redaction:
    """Takes secrets out of JSON values: by their text, their shape, or the name they stand under.

    Args:
        patterns: Regular expressions of more that has to go.
        secrets: Texts to remove everywhere.
    """

    def __init__(self, patterns: Iterable[str] = (), secrets: Iterable[str] = ()) -> None:
        texts = sorted({each for each in secrets if len(each) >= _SHORTEST}, key=len, reverse=True)
        self._pattern = re.compile("|".join([*map(re.escape, texts), *_SHAPES, *patterns]))

    def __call__(self, value: Any) -> Any:
        """Return a value without the secrets among its texts."""
        if isinstance(value, str):
            return "".join(self.pieces([value]))
        if isinstance(value, dict):
            return {self(name): self(each) for name, each in value.items()}
        return [self(each) for each in value] if isinstance(value, list) else value

    def pieces(self, pieces: Sequence[str]) -> list[str]:
        """Return the pieces of a text without secrets, also those that were cut into pieces."""
        text = "".join(pieces)
        secrets = [
            (found.start() if found["name"] is None else found.end("name"), found.end())
            for found in self._pattern.finditer(text)
        ]
        clean, begin = [], 0
        for end in accumulate(map(len, pieces)):
            clean.append(_outside(text, begin, end, secrets))
            begin = end
        return clean

    def request(self, form: dict[str, Any]) -> dict[str, Any]:
        """Return a request without secrets; among its extra arguments, also by their names."""
        # Not so elsewhere: a message may well have a field that is called token.
        arguments = form.get("extra_create_args")
        named = {"extra_create_args": _unnamed(arguments)} if arguments else {}
        return {name: self(value) for name, value in {**form, **named}.items()}


def _outside(text: str, begin: int, end: int, secrets: Sequence[tuple[int, int]]) -> str:
    """Return a part of a text without secrets, each marked where it begins."""
    clean = ""
    for start, stop in secrets:
        clean += text[begin : max(begin, min(start, end))]
        clean += REDACTED if begin <= start < end else ""
        begin = max(begin, min(stop, end))
    return clean + text[begin:end]


def _unnamed(value: Any) -> Any:
    """Take out texts that stand under the name of a secret."""
    if not isinstance(value, dict):
        return [_unnamed(each) for each in value] if isinstance(value, list) else value
    return {
        name: REDACTED if isinstance(each, str) and is_secret_name(name) else _unnamed(each)
        for name, each in value.items()
    }


def secrets_of(client: ChatCompletionClient) -> Iterator[str]:
    """Find the secrets that a client may know: in its config, and in the environment."""
    for name, text in os.environ.items():
        if _VARIABLES.search(name):
            yield text
    yield from _in_config(client)


def _in_config(client: ChatCompletionClient) -> Iterator[str]:
    if isinstance(client, Middleware):
        for each in client.within():
            yield from _in_config(each)
        return
    try:
        config = client._to_config()
    except Exception:  # noqa: BLE001 - a client that has no config can still be recorded
        return
    for name, value in config:
        yield from _secrets_in(name, value)


def _secrets_in(name: str, value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        with suppress(SecretError):  # a reference to a variable that is not set hides nothing
            yield value.get_secret_value()
    elif isinstance(value, str) and is_secret_name(name):
        yield value
    elif isinstance(value, dict):
        for inner, each in value.items():
            yield from _secrets_in(str(inner), each)
