"""The shape that a schema describes, by its keywords."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from ferrogen.json_schema.merging import ALSO
from ferrogen.json_schema.references import Schema

# Keywords that no type expresses; the values are checked by an evaluation of them.
ASSERTED = frozenset(
    (
        *("contains", "dependentRequired", "dependentSchemas", "else", "if", "maxContains"),
        *("minContains", "not", "patternProperties", "propertyNames", "then", ALSO),
    )
)
SIZES = frozenset(("minProperties", "maxProperties"))
# Keywords that say something about a value of some types, and nothing about its type.
UNTYPED = ASSERTED | {
    *("additionalProperties", "exclusiveMaximum", "exclusiveMinimum", "items", "maxItems"),
    *("maxLength", "maxProperties", "maximum", "minItems", "minLength", "minProperties"),
    *("minimum", "multipleOf", "pattern", "prefixItems", "uniqueItems"),
}


def properties_of(flat: Schema) -> dict[str, Any]:
    """Return the properties of a model: the declared ones, and those that are only required."""
    declared = flat.get("properties", {})
    return {**declared, **{key: True for key in flat.get("required", ()) if key not in declared}}


def asserted_of_model(flat: Schema) -> dict[str, Any]:
    """Return the keywords of an object that its model does not express."""
    asserted = {key: flat[key] for key in flat.keys() & (ASSERTED | SIZES)}
    if "patternProperties" in flat:
        asserted["properties"] = dict.fromkeys(flat.get("properties", ()), True)
        asserted["additionalProperties"] = flat.get("additionalProperties", True)
    return asserted


def is_model(flat: Schema) -> bool:
    """Whether a schema describes an object that becomes a model."""
    if flat.get("type", "object") != "object":
        return False
    if "properties" in flat or flat.get("required"):
        return True
    return flat.get("additionalProperties") is False and "patternProperties" not in flat


def distinguishes(key: Any, union: Any) -> bool:
    """Whether each member of a union is a model with texts of its own in one field."""
    texts: list[str] = []
    for member in getattr(union, "__args__", ()):
        is_model = isinstance(member, type) and issubclass(member, BaseModel)
        field = member.model_fields.get(key) if is_model else None
        values = get_args(field.annotation) if field is not None else ()
        # Pydantic finds no choice behind the checks of ExactChoices, which numbers have.
        if not values or not all(isinstance(value, str) for value in values):
            return False
        texts += values
    return bool(texts) and len(set(texts)) == len(texts)


class Positions:
    """Metadata of a tuple: a type for each of the first items, and one for all others.

    An array may end before all of the first items are there. Each number of them is a tuple type
    of its own. Strict, they take lists, too: JSON has no tuples,
    and a check may have made Python objects of it.

    Args:
        first: The types of the first items.
        rest: The type of the others.
        least: The least number of items.
        most: The largest number of items, if there is one.
    """

    def __init__(self, first: Sequence[Any], rest: Any, least: int, most: int | None) -> None:
        self._first, self._rest, self._least, self._most = tuple(first), rest, least, most

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Build the union of the tuples, the longest first."""
        items = [handler.generate_schema(kind) for kind in self._first]
        longest = len(items)
        tuples: list[CoreSchema | tuple[CoreSchema, str]] = []
        if self._most is None or self._most >= longest:
            tuples.append(
                core_schema.tuple_schema(
                    [*items, handler.generate_schema(self._rest)],
                    variadic_item_index=longest,
                    min_length=max(self._least, longest),
                    max_length=self._most,
                )
            )
        shorter = range(longest - 1 if self._most is None else min(longest - 1, self._most), -1, -1)
        tuples += [
            core_schema.tuple_schema(items[:size]) for size in shorter if size >= self._least
        ]
        if not tuples:
            return core_schema.tuple_schema([], min_length=1)  # the limits contradict each other
        return _from_lists_too(core_schema.union_schema(tuples))


class FromListsToo:
    """Metadata of a tuple type: strict, it takes lists, too."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Build a schema that differs in strict mode."""
        return _from_lists_too(handler(source))


def _from_lists_too(schema: CoreSchema) -> CoreSchema:
    to_tuple = core_schema.no_info_after_validator_function(tuple, core_schema.list_schema())
    from_list = core_schema.chain_schema([to_tuple, schema])
    either = core_schema.union_schema([schema, from_list], mode="left_to_right")
    return core_schema.lax_or_strict_schema(schema, either)
