"""Where a $ref points."""

from __future__ import annotations

from typing import Any

from ferrogen._json_schema.merging import Schema
from ferrogen.exceptions import ReferenceNotFoundError


def look_up(reference: str, root: Schema) -> Any:
    """Find the schema that a reference names, inside the document.

    A path that leads nowhere is tried as the name of a definition, since schemas that were cut
    out of larger documents keep references such as ``#/components/schemas/Pet``.

    Raises:
        ReferenceNotFoundError: If there is nothing.
    """
    name = reference.rpartition("/")[2]
    found: Any = root if reference.startswith("#") else None
    for part in reference.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, dict) else None
    if found is None:
        found = root.get("$defs", {}).get(name)
    if found is None:
        raise ReferenceNotFoundError(
            f"reference {reference!r} is not found in the schema, which defines "
            f"{sorted(root.get('$defs', {}))}; add it under $defs"
        )
    return found
