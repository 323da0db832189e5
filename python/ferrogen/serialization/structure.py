"""How the types in the annotations of a class affect its bytes."""

from __future__ import annotations

from typing import Any

from msgspec import inspect

from ferrogen.serialization.custom_types import is_known_custom
from ferrogen.serialization.kinds import is_attrs, is_model
from ferrogen.serialization.mentioned_types import is_validated, mentioned

# Their values are those of JSON, or bytes.
_SAME_IN_MESSAGEPACK = (
    inspect.BoolType,
    inspect.BytesType,
    inspect.DataclassType,
    inspect.DecimalType,
    inspect.EnumType,
    inspect.FloatType,
    inspect.IntType,
    inspect.ListType,
    inspect.LiteralType,
    inspect.NoneType,
    inspect.SetType,
    inspect.StrType,
    inspect.StructType,
    inspect.TupleType,
    inspect.TypedDictType,
    inspect.UnionType,
    inspect.UUIDType,
    inspect.VarTupleType,
)


def refuse_unknown(cls: type[Any]) -> None:
    """Refuse a class that cannot be written and read without loss.

    Args:
        cls: A class that msgspec knows.

    Raises:
        TypeError: When it mentions a type that cannot be read, or that would lose fields.
    """
    for node in mentioned(cls):
        if isinstance(node, inspect.CustomType) and not is_known_custom(node.cls):
            raise TypeError(f"no message can hold a {node.cls!r}")
        if isinstance(node, inspect.StructType) and hides_fields(node.cls):
            raise TypeError(
                f'the struct "{node.cls.__name__}" would lose fields of an attrs class in it: give '
                "them names without an underscore"
            )


def hides_fields(cls: type[Any]) -> bool:
    """Return whether msgspec, left to itself, would leave out part of a message.

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
    """Return whether a class mentions attrs classes, and nothing that is unknown here.

    Args:
        cls: A class that msgspec knows.

    Returns:
        True when msgspec, with our hooks, reads what pydantic cannot.
    """
    nodes = list(mentioned(cls))
    customs = [node.cls for node in nodes if isinstance(node, inspect.CustomType)]
    classes = [node.cls for node in nodes if isinstance(node, inspect.DataclassType)]
    return (
        all(is_known_custom(custom) for custom in customs)
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
    """Return whether the annotations of a class leave room for a float.

    Args:
        cls: A class that msgspec knows.

    Returns:
        False when no message that keeps to its annotations can hold one.
    """
    kinds = (inspect.FloatType, inspect.AnyType, inspect.CustomType)
    return any(isinstance(node, kinds) for node in mentioned(cls))


def is_plain(cls: type[Any]) -> bool:
    """Return whether msgspec, left to itself, writes the same values in MessagePack as in JSON.

    Args:
        cls: A class that msgspec knows.

    Returns:
        False when it mentions dates, for which MessagePack has a form of its own, keys that are not
        text, or anything of which this is not known.
    """
    for node in mentioned(cls):
        if isinstance(node, inspect.DictType):
            if not isinstance(node.key_type, inspect.StrType):
                return False
        elif not isinstance(node, _SAME_IN_MESSAGEPACK):
            return False
    return True


def mentioned_models(cls: type[Any]) -> list[type[Any]]:
    """List the pydantic models that a class mentions.

    Args:
        cls: A class that msgspec knows.

    Returns:
        The models, each once.
    """
    customs = (node.cls for node in mentioned(cls) if isinstance(node, inspect.CustomType))
    return list(dict.fromkeys(cls for cls in customs if is_model(cls)))
