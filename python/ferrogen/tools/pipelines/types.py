"""Whether a result of one type can be an argument of another, by their annotations."""

import dataclasses
import inspect
from collections.abc import Iterable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NewType, TypeVar, Union, get_args, get_origin

import typing_extensions
from pydantic import BaseModel
from typing_extensions import get_type_hints, is_typeddict

_UNIONS = (Union, UnionType)
_WRAPPERS: tuple[Any, ...] = (
    typing_extensions.Required,
    typing_extensions.NotRequired,
    typing_extensions.ReadOnly,
)
_COLLECTIONS = (list, tuple, set, frozenset)
_NUMBERS = {float: (int,), complex: (int, float)}


def plain(kind: Any) -> Any:
    """Return a type without what ``Annotated``, aliases and the like add; unknown ones are Any."""
    while True:
        origin = get_origin(kind)
        if origin is Annotated or origin in _WRAPPERS:
            kind = get_args(kind)[0]
        elif isinstance(kind, NewType):
            kind = kind.__supertype__
        elif hasattr(kind, "__value__") and type(kind).__name__ == "TypeAliasType":
            kind = kind.__value__
        else:
            break
    if kind is inspect.Signature.empty or isinstance(kind, (TypeVar, str)):
        return Any
    return NoneType if kind is None else kind


def fits(source: Any, target: Any) -> bool:
    """Whether every value of one type is one of another, or pydantic makes one of it."""
    source, target = plain(source), plain(target)
    if source is Any or target is Any or target is object:
        return True
    if get_origin(source) in _UNIONS:
        return all(fits(member, target) for member in get_args(source))
    if get_origin(source) is Literal:
        values = get_args(source)
        if get_origin(target) is Literal:
            return set(values) <= set(get_args(target))
        return all(fits(type(value), target) for value in values)
    if get_origin(target) in _UNIONS:
        return any(fits(source, member) for member in get_args(target))
    if get_origin(target) is Literal:
        return False
    return _class_fits(source, target)


def part(kind: Any, name: str | int) -> Any:
    """Return the type of a part of a value: a field, a key, or a position.

    Raises:
        LookupError: There is no such part.
    """
    kind = plain(kind)
    origin = get_origin(kind) or kind
    if kind is Any or kind is object or origin in _UNIONS:
        return Any
    if isinstance(name, str):
        fields = _fields(kind)
        if fields is not None:
            if name not in fields:
                raise LookupError(f"{shown(kind)} has no field {name!r}")
            return fields[name]
    arguments = get_args(kind)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return arguments[1] if len(arguments) == 2 else Any
    if isinstance(name, int) and isinstance(origin, type) and issubclass(origin, Sequence):
        if origin is tuple and arguments and arguments[-1] is not Ellipsis:
            if not -len(arguments) <= name < len(arguments):
                raise LookupError(f"{shown(kind)} has no position {name}")
            return arguments[name]
        return arguments[0] if arguments else Any
    raise LookupError(f"{shown(kind)} has no part {name!r}")


def shown(kind: Any) -> str:
    """Return a type as it is written."""
    kind = plain(kind)
    if kind is NoneType:
        return "None"
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)


def _class_fits(source: Any, target: Any) -> bool:
    source_class, target_class = get_origin(source) or source, get_origin(target) or target
    if not (isinstance(source_class, type) and isinstance(target_class, type)):
        return True  # nothing is known
    if is_typeddict(target_class):
        return source_class is target_class or (
            source_class is dict and not is_typeddict(source_class)
        )
    if is_typeddict(source_class):
        return issubclass(dict, target_class)
    if issubclass(target_class, BaseModel) or dataclasses.is_dataclass(target_class):
        return issubclass(source_class, target_class) or source_class is dict
    if source_class in _NUMBERS.get(target_class, ()):
        return True
    if source_class in {str, bytes} and target_class not in {source_class, object}:
        return False  # pydantic makes no sequence of them
    are_collections = source_class in _COLLECTIONS and target_class in _COLLECTIONS
    if not are_collections and not issubclass(source_class, target_class):
        return False
    return _arguments_fit(source, target, source_class)


def _arguments_fit(source: Any, target: Any, source_class: type[Any]) -> bool:
    wanted = [each for each in get_args(target) if each is not Ellipsis]
    given = [each for each in get_args(source) if each is not Ellipsis]
    if not wanted or not given:
        return True
    if len(wanted) == len(given):
        return all(map(fits, given, wanted))
    if len(wanted) == 1 and issubclass(source_class, Iterable):
        return all(fits(each, wanted[0]) for each in given)
    return True


def _fields(kind: Any) -> Mapping[str, Any] | None:
    if not isinstance(kind, type):
        return None
    if issubclass(kind, BaseModel):
        return {name: info.annotation for name, info in kind.model_fields.items()}
    if dataclasses.is_dataclass(kind) or is_typeddict(kind):
        return get_type_hints(kind, include_extras=True)
    return None
