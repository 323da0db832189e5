"""The shape that a schema describes, by its keywords."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel

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
