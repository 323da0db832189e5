"""Names that code gives to its own file, in its first line."""

import re

_NAMED = re.compile(r"(?:#|//|<!--|/\*)\s*filename:\s*(\S+)", re.IGNORECASE)


def file_name_in(code: str) -> str | None:
    """Return the name in a first line such as ``# filename: plot.py``, or None."""
    first = code.lstrip().partition("\n")[0].strip()
    match = _NAMED.match(first)
    return match[1] if match else None
