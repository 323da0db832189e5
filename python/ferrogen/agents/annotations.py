"""Concrete types of resolved annotations."""

from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin


class AnyType:
    """Stands for ``typing.Any`` among types: before Python 3.11 ``Any`` is not a class."""


def is_union(t: object) -> bool:
    """Whether an annotation is a union, in either spelling."""
    return get_origin(t) in (Union, UnionType)


def get_types(t: object) -> Sequence[type[Any]] | None:
    """List the types that an annotation allows.

    Args:
        t: A type, a union of types, None or ``Any``; already resolved, not a string.

    Returns:
        The types; ``AnyType`` for ``Any``; None for any other annotation.
    """
    if is_union(t):
        return get_args(t)
    if t is Any:
        return (AnyType,)
    if isinstance(t, type) and get_origin(t) is None:  # before 3.11 list[int] is a type, too
        return (t,)
    if t is None:
        return (NoneType,)
    return None


def allows_anything(types: Sequence[type[Any]]) -> bool:
    """Whether ``Any`` is among the types that ``get_types`` listed."""
    return AnyType in types or Any in types
