"""Kinds of fields in a dataclass."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

from ferrogen.serialization.kinds import is_model


def has_nested_base_model(cls: type[Any]) -> bool:
    """Return whether a dataclass has fields that hold pydantic models, at any depth of generics.

    Ferrogen itself does not ask this, since it serializes such dataclasses; extensions do.

    Args:
        cls: The dataclass.

    Returns:
        True when a field's annotation mentions a model class.
    """
    return any(_mentions_model(field.type) for field in dataclasses.fields(cls))


def _mentions_model(annotation: Any) -> bool:
    arguments = get_args(annotation)
    if arguments:
        return any(map(_mentions_model, arguments))
    return isinstance(annotation, type) and is_model(annotation)
