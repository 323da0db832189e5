"""JSON Schemas with resolved references and merged ``allOf``."""

from __future__ import annotations

from typing import Any

from ferrogen._json_schema.merging import Schema, merge
from ferrogen._json_schema.references import look_up
from ferrogen.exceptions import UnsupportedKeywordError


def flatten(schema: Any, root: Schema, via: tuple[str, ...] = ()) -> dict[str, Any]:
    """Write out the reference and the allOf of a schema.

    Raises:
        UnsupportedKeywordError: If a reference leads to nothing but itself (``via`` has those that
            led here), if the schema allows no value, or if its parts contradict each other.
    """
    if isinstance(schema, bool):
        if not schema:
            raise UnsupportedKeywordError(
                "a schema that allows no value has no model; leave it out"
            )
        return {}
    reference = schema.get("$ref")
    if reference in via:
        raise UnsupportedKeywordError(
            f"reference {reference!r} leads back to itself by way of $ref and allOf alone; "
            "put a property or items in between"
        )
    flat: dict[str, Any] = {}
    if reference is not None:
        flat = merge(flat, flatten(look_up(reference, root), root, (*via, reference)))
    for part in schema.get("allOf", ()):
        flat = merge(flat, flatten(part, root, via))
    own = {key: schema[key] for key in schema if key not in ("$ref", "allOf")}
    return merge(flat, own)
