"""Tell pydantic models and protobuf messages apart without loading either library."""

from __future__ import annotations

import sys
from typing import Any


def is_model(cls: type[Any]) -> bool:
    """Tell whether a class is a pydantic model.

    Args:
        cls: Any class.

    Returns:
        True for subclasses of ``pydantic.BaseModel``.
    """
    return _descends(cls, "pydantic.main", "BaseModel")


def is_protobuf(cls: type[Any]) -> bool:
    """Tell whether a class is a protobuf message.

    Args:
        cls: Any class.

    Returns:
        True for subclasses of ``google.protobuf.message.Message``.
    """
    return _descends(cls, "google.protobuf.message", "Message")


def _descends(cls: type[Any], module_name: str, base_name: str) -> bool:
    # Nothing can descend from a class whose module has not been loaded.
    base = getattr(sys.modules.get(module_name), base_name, None)
    return base is not None and issubclass(cls, base)
