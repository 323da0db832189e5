"""The base of all exceptions."""

from __future__ import annotations

from typing import Any


class FerrogenError(Exception):
    """The base of every exception that Ferrogen defines."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Let all of them show, and pickle by, the module that they are imported from."""
        super().__init_subclass__(**arguments)
        if cls.__module__.startswith("ferrogen.exceptions."):
            cls.__module__ = "ferrogen.exceptions"


FerrogenError.__module__ = "ferrogen.exceptions"
