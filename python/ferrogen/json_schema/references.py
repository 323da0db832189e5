"""References inside a JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from ferrogen.exceptions import ReferenceNotFoundError

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


Schema = Mapping[str, Any]
Place = tuple[str, ...]

# Keywords whose value is data, a list of schemas, or schemas by name. A dict under any other
# keyword is a schema, or contains some, as "components" of OpenAPI does.
_DATA = frozenset(("const", "default", "enum", "example", "examples"))
_SEVERAL = frozenset(("allOf", "anyOf", "items", "oneOf", "prefixItems"))
_NAMED = frozenset(
    (
        *("$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties"),
        "properties",
    )
)
_DEFINITIONS = ("$defs", "definitions")
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def with_absolute_references(root: Schema) -> dict[str, Any]:
    """Copy a schema; each ``$ref`` in the copy is a path from its root.

    A reference is looked up in the document, or in the part of it that has an ``$id`` of its own.
    If it leads nowhere there, it is looked up in the schemas around it that have definitions, from
    the inside out: such a schema was a document of its own once. Then its last part is looked up
    as the name of a definition, since schemas that were cut out of larger documents keep
    references such as ``#/components/schemas/Pet``.

    Raises:
        ReferenceNotFoundError: A reference leads nowhere.
    """
    copy: dict[str, Any] = _Rewriter(root).rewritten(root, (), (), "")
    return copy


def look_up(reference: str, root: Schema) -> Any:
    """Return the schema that an absolute reference leads to."""
    return _found(root, _parts(reference.removeprefix("#")))


class _Rewriter:
    def __init__(self, root: Schema) -> None:
        self._root = root
        self._ids: dict[str, Place] = {}
        self._anchors: dict[str, dict[str, Place]] = {}
        self._definitions: dict[str, list[Place]] = {}
        self._collect(root, (), "")

    def _collect(self, schema: Any, place: Place, base: str) -> None:
        if not isinstance(schema, dict):
            return
        base = _base_of(schema, base)
        self._ids.setdefault(base, place)
        for keyword in ("$anchor", "$dynamicAnchor"):
            if isinstance(schema.get(keyword), str):
                self._anchors.setdefault(schema[keyword], {}).setdefault(base, place)
        for path, inner in _inner_schemas(schema):
            if path[0] in _DEFINITIONS:
                self._definitions.setdefault(path[-1], []).append((*place, *path))
            self._collect(inner, (*place, *path), base)

    def rewritten(self, schema: Any, place: Place, scopes: tuple[Place, ...], base: str) -> Any:
        """Copy the schema at a place, inside schemas that have definitions, innermost first."""
        if not isinstance(schema, dict):
            return schema
        base = _base_of(schema, base)
        if any(keyword in schema for keyword in _DEFINITIONS):
            scopes = (place, *scopes)
        copy = {
            key: type(value)(value) if isinstance(value, (dict, list)) else value
            for key, value in schema.items()
        }
        for keyword in _REFERENCES:
            reference = copy.pop(keyword, None)
            if isinstance(reference, str):
                target = self._target(reference, scopes, base)
                copy["$ref"] = "#" + "".join(f"/{_escaped(part)}" for part in target)
        for path, inner in _inner_schemas(schema):
            _replace(copy, path, self.rewritten(inner, (*place, *path), scopes, base))
        return copy

    def _target(self, reference: str, scopes: tuple[Place, ...], base: str) -> Place:
        inside = reference.startswith("#")
        address, fragment = urldefrag(reference if inside else urljoin(base, reference))
        address = base if inside else address
        if fragment and not fragment.startswith("/"):
            anchors = self._anchors.get(unquote(fragment), {})
            if address in anchors or len(anchors) == 1:
                return anchors.get(address) or next(iter(anchors.values()))
        else:
            resource = self._ids.get(address)
            starts = [] if resource is None else [resource]
            starts += [(), *scopes] if inside else []
            for start in starts:
                for path in (_parts(fragment), tuple(fragment.split("/")[1:])):
                    if isinstance(_found(self._root, start + path), (dict, bool)):
                        return start + path
        name = _parts(f"/{reference.rpartition('/')[2].lstrip('#')}")[0]
        for scope in scopes:
            for keyword in _DEFINITIONS:
                if _found(self._root, (*scope, keyword, name)) is not None:
                    return (*scope, keyword, name)
        anywhere = self._definitions.get(name, [])
        if len(anywhere) == 1:
            return anywhere[0]
        raise ReferenceNotFoundError(
            f"reference {reference!r} is not found in the schema, which defines "
            f"{sorted(self._definitions)}; add it under $defs"
        )


def _base_of(schema: Schema, base: str) -> str:
    own = schema.get("$id")
    return urljoin(base, own).rstrip("#") if isinstance(own, str) else base


def _inner_schemas(schema: Schema) -> Iterator[tuple[Place, Any]]:
    for keyword, value in schema.items():
        if keyword in _NAMED and isinstance(value, dict):
            for name, inner in value.items():
                yield (keyword, name), inner
        elif keyword in _SEVERAL and isinstance(value, list):
            for number, inner in enumerate(value):
                yield (keyword, str(number)), inner
        elif isinstance(value, dict) and keyword not in _DATA:
            yield (keyword,), value


def _replace(copy: dict[str, Any], path: Place, inner: Any) -> None:
    keyword, *rest = path
    if not rest:
        copy[keyword] = inner
    elif isinstance(copy[keyword], list):
        copy[keyword][int(rest[0])] = inner
    else:
        copy[keyword][rest[0]] = inner


def _parts(fragment: str) -> Place:
    """Return the path in a reference, its parts decoded."""
    return tuple(
        unquote(part).replace("~1", "/").replace("~0", "~") for part in fragment.split("/")[1:]
    )


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1").replace("%", "%25")


def _found(root: Any, place: Sequence[str]) -> Any:
    found = root
    for part in place:
        if isinstance(found, dict):
            found = found.get(part)
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found
