"""Properties of a schema as fields of a model, and unknown properties."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from pydantic import BaseModel, ConfigDict


def field_name(key: str, *, taken: Container[str]) -> str:
    """Name the field of a property: the property's name, unless pydantic keeps it for itself."""
    reserved = key.startswith("model_") and hasattr(BaseModel, key)
    if not (key.startswith("_") or reserved):
        return key
    name = f"field_{key.lstrip('_')}"
    while name in taken:
        name += "_"
    return name


def model_config(additional: Any, *, aliased: bool) -> ConfigDict:
    """Configure a model by the schema's additionalProperties; without it they are passed over."""
    config = ConfigDict(protected_namespaces=())
    if additional is False:
        config["extra"] = "forbid"
    elif additional is not None:
        config["extra"] = "allow"
    if aliased:
        config["serialize_by_alias"] = True
    return config
