"""Notes on errors about the attempts that have failed before."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["describe_attempt", "note_attempts"]

_PREFIX = "earlier attempts: "
_MOST_CHARACTERS = 200


def describe_attempt(attempt: int, attempts: int, error: Exception) -> str:
    """Describe a failed attempt in one line. The error itself is not kept alive."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - an error of the program, which may raise anything
        text = "its text cannot be read"
    if len(text) > _MOST_CHARACTERS:
        text = text[:_MOST_CHARACTERS] + "..."
    return f"attempt {attempt} of {attempts} failed with {type(error).__name__}: {text}"


def note_attempts(error: Exception, earlier: Sequence[str]) -> None:
    """Add a note about earlier attempts to an error, in place of such a note that it has.

    CPython 3.10 does not print notes; there they can be read as `__notes__`.
    """
    if earlier:
        notes = getattr(error, "__notes__", ())
        others = [one for one in notes if not str(one).startswith(_PREFIX)]
        setattr(error, "__notes__", [*others, _PREFIX + "; ".join(earlier)])  # noqa: B010
