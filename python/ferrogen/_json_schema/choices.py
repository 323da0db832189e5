"""Values that are listed one by one: enum and const."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema


def one_of_values(values: Sequence[Any]) -> Any:
    """Make the type whose values are these: a Literal, if they are of the kinds it can hold."""
    if values and all(value is None or isinstance(value, (str, int)) for value in values):
        plain: Any = Literal[tuple(values)]
        if all(value is None or isinstance(value, str) for value in values):
            return plain
        return Annotated[plain, BeforeValidator(_told_apart(values))]
    known = {_canonical(value) for value in values}

    def check(value: Any) -> Any:
        if _canonical(value) not in known:
            raise ValueError(f"must be one of {list(values)!r}")
        return value

    return Annotated[Any, AfterValidator(check), WithJsonSchema({"enum": list(values)})]


def _told_apart(values: Sequence[Any]) -> Callable[[Any], Any]:
    """Make a check that keeps 0 and 1 from false and true, which are equal in Python."""

    def check(value: Any) -> Any:
        wanted = _canonical(value)
        for choice in values:
            if _canonical(choice) == wanted:
                return choice
        if isinstance(value, (bool, int)) and value in values:
            raise ValueError(f"must be one of {list(values)!r}")
        return value

    return check


def all_different(values: list[Any]) -> list[Any]:
    """Refuse a list that has a value twice; 1 and true are two values."""
    if len({_canonical(value) for value in values}) < len(values):
        raise ValueError("items must be different from each other")
    return values


def _canonical(value: Any) -> str:
    return json.dumps(_whole_numbers(value), sort_keys=True, default=repr)


def _whole_numbers(value: Any) -> Any:
    # JSON Schema does not tell 1.0 from 1.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole_numbers(item) for key, item in value.items()}
    return value
