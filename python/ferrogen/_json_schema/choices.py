"""Values that are listed one by one: enum and const."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, WithJsonSchema

from ferrogen._json_schema.assertions import NEVER
from ferrogen._json_schema.evaluation import canonical


def one_of_values(values: Sequence[Any]) -> Any:
    """Create the type with these values: a Literal, if they are of the kinds it can hold.

    A Literal takes true for 1, and 1.0 for 1. The root of the model keeps truth values apart.
    """
    if not values:
        return NEVER
    if all(value is None or isinstance(value, (str, int)) for value in values):
        return Literal[tuple(values)]
    known = {canonical(value) for value in values}

    def check(value: Any) -> Any:
        if canonical(value) not in known:
            raise ValueError(f"must be one of {list(values)!r}")
        return value

    return Annotated[Any, AfterValidator(check), WithJsonSchema({"enum": list(values)})]


def chooses_numbers(schema: Any) -> bool:
    """Whether an enum or const anywhere in a schema has a number or a truth value."""
    if isinstance(schema, list):
        return any(map(chooses_numbers, schema))
    if not isinstance(schema, dict):
        return False
    listed = [*_listed(schema.get("enum")), schema.get("const")]
    if any(isinstance(value, int) for value in listed):
        return True
    return any(map(chooses_numbers, schema.values()))


def all_different(values: Any) -> Any:
    """Raise a ``ValueError`` if a list has a value twice; 1 and true are two values."""
    if len({canonical(value) for value in values}) < len(values):
        raise ValueError("items must be different from each other")
    return values


def _listed(values: Any) -> list[Any]:
    return values if isinstance(values, list) else []
