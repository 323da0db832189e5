"""Validation of the settings of middleware."""

from __future__ import annotations

from typing import TypeVar

from ferrogen.exceptions import ClientSetupError

Number = TypeVar("Number", int, float)


def at_least(least: Number, **settings: Number | None) -> None:
    """Check numbers; ``None`` stands for no limit.

    Args:
        least: The smallest allowed value of each.
        settings: The numbers under the names that the user knows them by.

    Raises:
        ClientSetupError: One is too low.
    """
    for name, value in settings.items():
        if value is not None and value < least:
            raise ClientSetupError(f"{name} must be at least {least}, not {value}")


def above_zero(**settings: float | None) -> None:
    """Check numbers; ``None`` stands for no limit.

    Raises:
        ClientSetupError: One is zero or lower.
    """
    for name, value in settings.items():
        if value is not None and value <= 0:
            raise ClientSetupError(f"{name} must be above 0, not {value}")
