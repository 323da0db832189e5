"""Kinds of message classes, recognized without loading their libraries."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any, get_args

from typing_extensions import is_typeddict


def is_model(cls: type[Any]) -> bool:
    """Return whether a class is a pydantic model.

    Args:
        cls: Any class.

    Returns:
        True for subclasses of ``pydantic.BaseModel``.
    """
    return _descends(cls, "pydantic.main", "BaseModel")


def is_protobuf(cls: type[Any]) -> bool:
    """Return whether a class is a protobuf message.

    Args:
        cls: Any class.

    Returns:
        True for subclasses of ``google.protobuf.message.Message``.
    """
    return _descends(cls, "google.protobuf.message", "Message")


def is_struct(cls: type[Any]) -> bool:
    """Return whether a class is a struct of msgspec.

    Args:
        cls: Any class.

    Returns:
        True for subclasses of ``msgspec.Struct``.
    """
    return _descends(cls, "msgspec", "Struct")


def is_attrs(cls: type[Any]) -> bool:
    """Return whether a class was made by attrs.

    Args:
        cls: Any class.

    Returns:
        True for classes with fields of attrs, their own or inherited.
    """
    return hasattr(cls, "__attrs_attrs__")


def is_typed_dict(cls: type[Any]) -> bool:
    """Return whether a class is a typed dict, whose instances are plain dicts.

    Args:
        cls: Any class.

    Returns:
        True for ``TypedDict`` classes of `typing` and of `typing_extensions`.
    """
    return is_typeddict(cls)


def _descends(cls: type[Any], module_name: str, base_name: str) -> bool:
    # Nothing can descend from a class whose module has not been loaded.
    base = getattr(sys.modules.get(module_name), base_name, None)
    return base is not None and issubclass(cls, base)


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
