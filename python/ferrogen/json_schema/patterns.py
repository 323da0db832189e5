"""Regular expressions of JSON Schema, which are those of ECMA-262."""

from __future__ import annotations

import re
from functools import lru_cache

from pydantic_core import SchemaError, SchemaValidator, core_schema

from ferrogen.exceptions import UnsupportedKeywordError

# Escapes, sets, groups with names, and the ends of a text, which differ in Python.
_TOKEN = re.compile(
    r"\\k<(\w+)>|\\.|\[\^?\]|\[(?:\\.|[^\]\\])*\]|\(\?<(?![=!])(\w+)>|\$", re.DOTALL
)
_IN_PYTHON = {"$": r"\Z", "[^]": r"[\s\S]", "[]": "(?!)"}


def search(pattern: str, text: str) -> bool:
    """Whether a pattern matches somewhere in a text.

    Raises:
        UnsupportedKeywordError: It is not a regular expression that Python has.
    """
    return compiled(pattern).search(text) is not None


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern by Python's ``re``, which has look-around and references to groups.

    Raises:
        UnsupportedKeywordError: It is not a regular expression that Python has.
    """
    try:
        return re.compile(_TOKEN.sub(_in_python, pattern), re.ASCII)
    except re.error as error:
        raise UnsupportedKeywordError(
            f"pattern {pattern!r} is not a regular expression that can be checked: {error}"
        ) from error


@lru_cache(maxsize=256)
def pydantic_reads(pattern: str) -> bool:
    """Whether pydantic's own engine, which is faster and has no look-around, reads a pattern."""
    try:
        SchemaValidator(core_schema.str_schema(pattern=pattern))
    except SchemaError:
        return False
    return True


def _in_python(token: re.Match[str]) -> str:
    if token[1]:
        return f"(?P={token[1]})"
    if token[2]:
        return f"(?P<{token[2]}>"
    return _IN_PYTHON.get(token[0], token[0])
