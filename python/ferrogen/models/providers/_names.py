"""Names of tools as the APIs accept them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ferrogen.exceptions import ToolSchemaError

_INVALID = re.compile(r"[^a-zA-Z0-9_-]")
LONGEST_NAME = 64


def plain_name(name: str, longest: int = LONGEST_NAME) -> str:
    """Make a name of letters, digits, ``_`` and ``-`` of any text, as the APIs require it."""
    return _INVALID.sub("_", name)[:longest]


class WireNames:
    """The names of the tools of one request: valid, different, and translated back.

    Args:
        names: The names of the tools.
        longest: How many characters the API accepts.

    Raises:
        ToolSchemaError: A name is empty.
    """

    def __init__(self, names: Iterable[str] = (), longest: int = LONGEST_NAME) -> None:
        self._longest = longest
        names = list(dict.fromkeys(names))
        valid = {name for name in names if name and plain_name(name, longest) == name}
        self._wire = {name: name for name in names if name in valid}
        self._tools = dict(self._wire)
        for name in names:
            if name not in valid:
                self._add(name)

    def wire(self, name: str) -> str:
        """Return the name that is sent for a tool; also for one that is not of this request."""
        return self._wire.get(name) or plain_name(name, self._longest) or "unnamed"

    def tool(self, wire: str) -> str:
        """Return the tool that a response means by a name."""
        if wire in self._tools:
            return self._tools[wire]
        # Some models write the name that they know from a text.
        return wire if wire in self._wire else plain_name(wire, self._longest)

    def __contains__(self, wire: object) -> bool:
        return wire in self._tools or wire in self._wire

    def _add(self, name: str) -> None:
        if not name.strip():
            raise ToolSchemaError("a tool has an empty name: give it one of letters, digits, '_'")
        base = plain_name(name, self._longest)
        candidate, number = base, 1
        while candidate in self._tools:
            number += 1
            suffix = f"_{number}"
            candidate = base[: self._longest - len(suffix)] + suffix
        self._wire[name] = candidate
        self._tools[candidate] = name
