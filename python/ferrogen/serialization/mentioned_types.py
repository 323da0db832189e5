"""Look through the annotations of a dataclass, and of the dataclasses it holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import inspect

from ferrogen._core import AgentId

SCALARS = (str, int, float, bytes)
"""Subclasses of these are written as these, and made from them again."""


def reads_every_type(cls: type[Any]) -> bool:
    """Return whether msgspec, with our hooks, gives back every type that a dataclass mentions.

    Args:
        cls: The dataclass.

    Returns:
        False when it mentions a class whose rules msgspec does not know, such as a model.

    Raises:
        TypeError: When msgspec refuses the dataclass.
    """
    for node in mentioned(cls):
        if isinstance(node, inspect.CustomType) and not _is_known_custom(node.cls):
            return False
        if isinstance(node, inspect.DataclassType) and is_validated(node.cls):
            return False
    return True


def is_validated(cls: type[Any]) -> bool:
    """Return whether a dataclass was made by pydantic, which alone knows its validators.

    Args:
        cls: The dataclass.

    Returns:
        True for pydantic's own dataclasses.
    """
    return "__pydantic_validator__" in vars(cls)


def mentioned(cls: type[Any]) -> Iterator[inspect.Type]:
    """Go through every type that a class mentions, itself included, each once.

    Args:
        cls: A class that msgspec knows.

    Yields:
        The type in msgspec's terms.

    Raises:
        TypeError: When msgspec refuses the class.
    """
    seen: set[int] = set()
    waiting: list[Any] = [inspect.type_info(cls)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tuple):
            waiting.extend(node)
        elif isinstance(node, (inspect.Type, inspect.Field)) and id(node) not in seen:
            seen.add(id(node))  # a dataclass may hold itself
            if isinstance(node, inspect.Type):
                yield node
            waiting.extend(getattr(node, name) for name in node.__struct_fields__)


def _is_known_custom(cls: Any) -> bool:
    if not isinstance(cls, type):
        return False
    return cls is object or cls is AgentId or issubclass(cls, SCALARS)
