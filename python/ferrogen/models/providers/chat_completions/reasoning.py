"""Separation of reasoning and content."""

from __future__ import annotations

from ferrogen.models.families import ModelFamily

OPENING, CLOSING = "<think>", "</think>"


class ReasoningMarks:
    """Sets marks around the pieces of reasoning in a stream, so that readers can separate them."""

    def __init__(self) -> None:
        self._inside = False

    def reasoning(self, piece: str) -> str:
        """Give a piece of reasoning as it is shown."""
        if self._inside:
            return piece
        self._inside = True
        return OPENING + piece

    def end(self) -> str:
        """Return the text to show when the reasoning ends; none, if there was none."""
        was_inside, self._inside = self._inside, False
        return CLOSING if was_inside else ""


def without_reasoning(text: str, family: str) -> tuple[str | None, str]:
    """Take the reasoning off the beginning of a text.

    Args:
        text: The text of the model.
        family: Its family. The templates of R1 open the reasoning themselves, so that only its
            end is in the text.

    Returns:
        The reasoning, or ``None`` if the text has none, and the rest.
    """
    begins = text.lstrip().startswith(OPENING)
    if CLOSING not in text or not (begins or family == ModelFamily.R1):
        return None, text
    thought, _, rest = text.partition(CLOSING)
    return thought.lstrip().removeprefix(OPENING).strip(), rest.strip()
