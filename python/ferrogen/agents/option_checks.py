"""Validation of options: each error names the option, its value, and the allowed values."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any

from ferrogen.exceptions import CantHandleException

__all__ = ["check_count", "check_exceptions", "check_kind", "check_number", "is_final"]


def check_count(name: str, value: object) -> None:
    """Reject a value that is not a whole number of at least 1.

    Raises:
        ValueError: It is not.
    """
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1; got {value!r}")


def check_number(name: str, value: object, *, least: float, allowed: str) -> None:
    """Reject a value that is not a finite number, or too low.

    Args:
        name: The name of the option.
        value: Its value.
        least: The lowest value; 0 with `allowed` "greater than 0" excludes 0 itself.
        allowed: The allowed values, in words, for the error.

    Raises:
        ValueError: It is not such a number.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and isfinite(value):  # type: ignore[arg-type]
        number = float(value)  # type: ignore[arg-type]
        if number > least or (number == least and "greater than" not in allowed):
            return
    raise ValueError(f"{name} must be {allowed}; got {value!r}")


def check_exceptions(name: str, value: Any) -> tuple[type[Exception], ...]:
    """Return exception classes as a tuple.

    Raises:
        ValueError: Something else is given, or a class that is not an `Exception`.
    """
    classes = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else ()
    if not classes or not all(
        isinstance(one, type) and issubclass(one, Exception) for one in classes
    ):
        raise ValueError(
            f"{name} must be a tuple of one or more subclasses of Exception, such as "
            f"(ConnectionError,); got {value!r}"
        )
    return classes


def check_kind(name: str, value: object, kind: type[Any]) -> None:
    """Reject a value that is neither None nor of a class.

    Raises:
        ValueError: It is not.
    """
    if value is not None and not isinstance(value, kind):
        raise ValueError(f"{name} must be a {kind.__name__}, or None; got {value!r}")


def is_final(error: BaseException) -> bool:
    """Whether an error is never retried, whatever the options say."""
    return not isinstance(error, Exception) or isinstance(error, CantHandleException)
