"""Types that msgspec does not know, and that messages may hold all the same."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import inspect

from ferrogen._core import AgentId
from ferrogen._serialization.kinds import is_attrs, is_model
from ferrogen._serialization.mentioned_types import SCALARS, is_validated, mentioned


def read_custom(cls: type[Any], value: Any) -> Any:
    """Make a value of a type that msgspec does not know, as its ``dec_hook``.

    Args:
        cls: The type.
        value: What stands in the message.

    Returns:
        The value.

    Raises:
        ValueError: When it does not fit the type.
    """
    if cls is object:
        return value
    if cls is AgentId:
        return AgentId.from_str(value)
    if is_model(cls):
        from ferrogen._serialization.pydantic_json import PydanticJsonMessageSerializer

        return PydanticJsonMessageSerializer(cls).deserialize(msgspec.json.encode(value))
    return cls(value)


def write_custom(value: Any) -> Any:
    """Give a value that msgspec does not know a form that it does, as its ``enc_hook``.

    Args:
        value: The value.

    Returns:
        Its form.

    Raises:
        TypeError: When there is none.
    """
    if isinstance(value, AgentId):
        return str(value)
    # Subclasses, which msgspec takes for unknown. Not str(value): how one presents itself is not
    # what it holds.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, bytes):
        return b"".join((value,))
    if is_model(type(value)):
        return value.model_dump(mode="json")
    raise TypeError(f"objects of type {type(value).__name__} have no JSON form")


def refuse_unknown(cls: type[Any]) -> None:
    """Refuse a class that cannot be written and read without loss.

    Args:
        cls: A class that msgspec knows.

    Raises:
        TypeError: When it mentions a type that nobody here can read, or that would lose fields.
    """
    for node in mentioned(cls):
        if isinstance(node, inspect.CustomType) and not _is_known(node.cls):
            raise TypeError(f"no message can hold a {node.cls!r}")
        if isinstance(node, inspect.StructType) and hides_fields(node.cls):
            raise TypeError(
                f'the struct "{node.cls.__name__}" would lose fields of an attrs class in it: give '
                "them names without an underscore"
            )


def hides_fields(cls: type[Any]) -> bool:
    """Tell whether msgspec, left to itself, would leave out part of a message.

    Args:
        cls: A class that msgspec knows.

    Returns:
        True when it is, or mentions, an attrs class with private fields.
    """
    return any(
        is_attrs(node.cls) and any(name.startswith("_") for name in attrs_fields(node.cls))
        for node in mentioned(cls)
        if isinstance(node, inspect.DataclassType)
    )


def mentions_attrs(cls: type[Any]) -> bool:
    """Tell whether a class mentions attrs classes, and nothing that is unknown here.

    Args:
        cls: A class that msgspec knows.

    Returns:
        True when msgspec, with our hooks, reads what pydantic cannot.
    """
    nodes = list(mentioned(cls))
    customs = [node.cls for node in nodes if isinstance(node, inspect.CustomType)]
    classes = [node.cls for node in nodes if isinstance(node, inspect.DataclassType)]
    return (
        all(_is_known(custom) for custom in customs)
        and any(is_attrs(each) for each in classes)
        and not any(is_validated(each) for each in classes)
    )


def attrs_fields(cls: type[Any]) -> list[str]:
    """Name the fields of an attrs class.

    Args:
        cls: The class.

    Returns:
        The names, private ones included, as messages have them.
    """
    return [field.name for field in cls.__attrs_attrs__]


def may_hold_floats(cls: type[Any]) -> bool:
    """Tell whether the annotations of a class leave room for a float.

    Args:
        cls: A class that msgspec knows.

    Returns:
        False when no message that keeps to its annotations can hold one.
    """
    kinds = (inspect.FloatType, inspect.AnyType, inspect.CustomType)
    return any(isinstance(node, kinds) for node in mentioned(cls))


def mentioned_models(cls: type[Any]) -> list[type[Any]]:
    """List the pydantic models that a class mentions.

    Args:
        cls: A class that msgspec knows.

    Returns:
        The models, each once.
    """
    customs = (node.cls for node in mentioned(cls) if isinstance(node, inspect.CustomType))
    return list(dict.fromkeys(cls for cls in customs if is_model(cls)))


def _is_known(cls: Any) -> bool:
    if not isinstance(cls, type):
        return False
    return cls is object or cls is AgentId or is_model(cls) or issubclass(cls, SCALARS)
