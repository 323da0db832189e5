"""Keywords of earlier drafts of JSON Schema, in terms of draft 2020-12."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SIZES = (
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
    *("minContains", "maxContains"),
)
_EXCLUSIVE = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


def modern(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Rewrite the keywords of one schema, and not of those inside it.

    - ``exclusiveMinimum: true`` (draft 4) is a limit of its own.
    - ``items: [...]`` with ``additionalItems`` (to 2019-09) is ``prefixItems`` with ``items``.
    - ``dependencies`` (to draft 7) is ``dependentRequired`` and ``dependentSchemas``.
    - ``required: true`` (draft 3) is dropped.
    - ``minLength: 1.0`` and the like are integers.
    """
    rewritten = dict(schema)
    for exclusive, limit in _EXCLUSIVE.items():
        is_flag = isinstance(rewritten.get(exclusive), bool)
        if is_flag and rewritten.pop(exclusive) and limit in rewritten:
            rewritten[exclusive] = rewritten.pop(limit)
    if isinstance(rewritten.get("items"), list):
        rewritten["prefixItems"] = rewritten.pop("items")
        if "additionalItems" in rewritten:
            rewritten["items"] = rewritten.pop("additionalItems")
    if not isinstance(rewritten.get("required", []), (list, tuple)):
        del rewritten["required"]
    for size in _SIZES:
        if isinstance(rewritten.get(size), float):
            rewritten[size] = int(rewritten[size])
    if isinstance(rewritten.get("dependencies"), dict):
        _split_dependencies(rewritten)
    return rewritten


def _split_dependencies(schema: dict[str, Any]) -> None:
    dependencies = schema.pop("dependencies")
    required = {key: value for key, value in dependencies.items() if isinstance(value, list)}
    schemas = {key: value for key, value in dependencies.items() if key not in required}
    if required:
        schema.setdefault("dependentRequired", required)
    if schemas:
        schema.setdefault("dependentSchemas", schemas)
