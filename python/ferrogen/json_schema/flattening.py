"""JSON Schemas with resolved references and merged ``allOf``."""

from __future__ import annotations

from typing import Any

from ferrogen.exceptions import UnsupportedKeywordError
from ferrogen.json_schema.dialects import modern
from ferrogen.json_schema.merging import merge
from ferrogen.json_schema.references import Schema, look_up


def flatten(schema: Any, root: Schema, via: tuple[str, ...] = ()) -> dict[str, Any]:
    """Write out the reference and the allOf of a schema.

    Raises:
        UnsupportedKeywordError: If a reference leads to nothing but itself (``via`` has those that
            led here), or if its parts contradict each other.
    """
    if isinstance(schema, bool):
        return {} if schema else {"not": {}}
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
    return merge(flat, modern(own))
