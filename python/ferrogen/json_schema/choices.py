"""Values that are listed one by one: enum and const."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from ferrogen.json_schema.assertions import NEVER
from ferrogen.json_schema.evaluation import canonical


def one_of_values(values: Sequence[Any]) -> Any:
    """Create the type with these values: a Literal, if they are of the kinds it can hold.

    A Literal takes true and 1.0 for 1, unless `ExactChoices` stands beside it.
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


class ExactChoices:
    """Metadata of a type: its Literals keep truth values, 1 and 1.0 apart, as JSON does.

    It stands beside the type of a field, so that the annotations stay plain Literals.
    """

    def __init__(self) -> None:
        self._plain: Any = None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Replace the Literals in the schema of the type."""
        self._plain = handler(source)
        exact: CoreSchema = _exact(self._plain)
        return exact

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Show the Literals."""
        return handler(self._plain)


def chooses_numbers(schema: Any) -> bool:
    """Whether an enum or const anywhere in a schema has a number or a truth value."""
    if isinstance(schema, list):
        return any(map(chooses_numbers, schema))
    if not isinstance(schema, dict):
        return False
    enum = schema.get("enum")
    listed = [*(enum if isinstance(enum, list) else ()), schema.get("const")]
    if any(isinstance(value, int) for value in listed):
        return True
    return any(map(chooses_numbers, schema.values()))


def all_different(values: Any) -> Any:
    """Raise a ``ValueError`` if a list has a value twice; 1 and true are two values."""
    if len({canonical(value) for value in values}) < len(values):
        raise ValueError("items must be different from each other")
    return values


def _exact(node: Any) -> Any:
    if isinstance(node, (list, tuple)):
        return type(node)(map(_exact, node))
    if not isinstance(node, dict) or node.get("type") in _OTHER_FIELDS:
        return node
    if node.get("type") == "literal":
        exact = any(isinstance(value, int) for value in node["expected"])
        return _exact_literal(node["expected"]) if exact else node
    return {
        key: value if key in ("default", "metadata", "serialization") else _exact(value)
        for key, value in node.items()
    }


# The fields of models have checks of their own.
_OTHER_FIELDS = frozenset(("definition-ref", "model"))


def _exact_literal(values: list[Any]) -> CoreSchema:
    numbers = [value for value in values if type(value) is int]
    truths = [value for value in values if isinstance(value, bool)]
    others = [value for value in values if not isinstance(value, int)]
    choices: list[CoreSchema | tuple[CoreSchema, str]] = []
    for kind, chosen in (
        (core_schema.int_schema(strict=True), numbers),
        (core_schema.bool_schema(strict=True), truths),
        (core_schema.any_schema(), others),
    ):
        if chosen:
            choices.append(core_schema.chain_schema([kind, core_schema.literal_schema(chosen)]))
    *most, last = map(repr, values)
    return core_schema.custom_error_schema(
        core_schema.union_schema(choices, mode="left_to_right"),
        custom_error_type="literal_error",
        custom_error_context={"expected": f"{', '.join(most)} or {last}" if most else last},
    )
