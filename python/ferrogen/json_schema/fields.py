"""Properties of a schema as fields of a model, and unknown properties."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from pydantic import BaseModel, ConfigDict


def field_name(key: str, *, taken: Container[str], shadows: bool = True) -> str:
    """Name the field of a property: the property's name, unless pydantic reserves it.

    Args:
        key: The name of the property.
        taken: Names that other fields have.
        shadows: Whether the field may hide an attribute that pydantic has, but does not need.
    """
    reserved = hasattr(BaseModel, key) and (not shadows or key.startswith("model_"))
    if not (key.startswith("_") or reserved):
        return key
    name = f"field_{key.lstrip('_')}"
    while name in taken:
        name += "_"
    return name


def model_config(additional: Any, *, aliased: bool) -> ConfigDict:
    """Configure a model by the schema's additionalProperties; without it they are ignored."""
    config = ConfigDict(protected_namespaces=())
    if additional is False:
        config["extra"] = "forbid"
    elif additional is not None:
        config["extra"] = "allow"
    if aliased:
        config["serialize_by_alias"] = True
    return config


def model_with_extras(values: Any, config: ConfigDict) -> type[BaseModel]:
    """Create the base of a model whose unknown properties have values of one type."""
    namespace: dict[str, Any] = {"model_config": {**config, "extra": "allow"}}
    if values is not Any:
        annotations = {"__pydantic_extra__": dict[str, values]}
        namespace |= {"__annotations__": annotations, "__module__": __name__}
    return type("Base", (BaseModel,), namespace)
