"""JSON Schemas in the narrow form that strict modes accept.

Services that hold a model to a schema accept a part of JSON Schema only: objects whose properties
are all required and no others allowed, one ``anyOf`` in place of ``oneOf`` and ``allOf``, no
``prefixItems``, few limits and formats. What has an equivalent is rewritten, limits that have
none become part of the description, and anything else is an error that names the field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ferrogen.exceptions import ModelRequestError, ToolSchemaError
from ferrogen.models.providers._strict_modes import OPENAI, StrictMode

WRAPPER = "value"
"""The property of the object that is put around a schema whose root is not an object."""

_REFUSED = (
    *("not", "if", "then", "else", "dependentSchemas", "dependentRequired", "patternProperties"),
    *("propertyNames", "contains", "unevaluatedProperties", "unevaluatedItems"),
)
_LIMITS = (
    *("minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum"),
    *("exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems", "contentEncoding"),
)
_REPLACED = ("title", "description", "default")
_LOOK_AROUND = re.compile(r"\(\?<?[=!]")


def strict_parameters(
    parameters: Mapping[str, Any], tool: str, mode: StrictMode = OPENAI
) -> dict[str, Any]:
    """Return the parameters of a strict tool as a service accepts them.

    Raises:
        ToolSchemaError: A parameter has no form in the strict mode.
    """
    narrowing = _Narrowing(parameters, f"tool {tool!r}", "parameter", mode, ToolSchemaError)
    narrow = narrowing.document(parameters)
    return dict(parameters) if _without_titles(parameters) == narrow else narrow


def strict_output(
    schema: Mapping[str, Any], owner: str, mode: StrictMode = OPENAI
) -> tuple[dict[str, Any], str | None]:
    """Return the schema of structured output as a service accepts it.

    Args:
        schema: The schema of a pydantic class.
        owner: The class.
        mode: The strict mode of the service.

    Returns:
        The schema, and the property of the object that was put around it, if its root is not an
        object.

    Raises:
        ModelRequestError: A field has no form in the strict mode.
    """
    narrowing = _Narrowing(schema, owner, "field", mode, ModelRequestError)
    if narrowing.root_is_object():
        return narrowing.document(schema), None
    wrapped, wrapper = wrapped_root(schema)
    return _Narrowing(wrapped, owner, "field", mode, ModelRequestError).document(wrapped), wrapper


def wrapped_root(schema: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Put an object around a schema whose root is not one.

    Returns:
        The schema, and the property of the object; ``None`` if the root is an object.
    """
    if _Narrowing(schema, "", "", OPENAI, ModelRequestError).root_is_object():
        return dict(schema), None
    inner = {name: value for name, value in schema.items() if name != "$defs"}
    wrapped: dict[str, Any] = {
        "type": "object",
        "properties": {WRAPPER: inner},
        "required": [WRAPPER],
    }
    if "$defs" in schema:
        wrapped["$defs"] = schema["$defs"]
    return wrapped, WRAPPER


class _Narrowing:
    """Rewrites one schema."""

    def __init__(
        self,
        root: Mapping[str, Any],
        owner: str,
        part: str,
        mode: StrictMode,
        error: type[Exception],
    ) -> None:
        self._root = root
        self._owner = owner
        self._inside = owner
        self._part = part
        self._mode = mode
        self._error = error

    def root_is_object(self) -> bool:
        root = self._root
        while "$ref" in root:
            root = self._target(root["$ref"], "")
        return root.get("type") == "object" or "properties" in root

    def document(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        root = {name: value for name, value in schema.items() if name not in ("$defs",)}
        definitions = schema.get("$defs", {})
        if "$ref" in root:  # a class that contains itself; but the root has to be an object
            root = {**self._target(root["$ref"], ""), "description": root.get("description")}
        if root.get("type") == "object" and not root.get("additionalProperties"):
            root.setdefault("properties", {})
        narrow = self._narrow(root, "")
        used: dict[str, Any] = {}
        rest = list(_references(narrow))
        while rest:
            name = rest.pop().rpartition("/")[2]
            if name not in used and name in definitions:
                self._inside = f"{name} in {self._owner}"
                used[name] = self._narrow(definitions[name], "")
                rest += _references(used[name])
        return {**narrow, "$defs": used} if used else narrow

    def _narrow(self, schema: Any, path: str, inside: tuple[str, ...] = ()) -> dict[str, Any]:
        if not isinstance(schema, Mapping) or schema is False:
            self._refuse(path, "accepts any value" if schema is not False else "accepts no value")
        for keyword in _REFUSED:
            if keyword in schema:
                self._refuse(path, f"has the keyword {keyword!r}")
        if "$ref" in schema:
            return self._referred(schema, path, inside)
        if "allOf" in schema:
            return self._narrow(self._merged(schema, path), path, inside)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                options = [self._narrow(option, path, inside) for option in schema[keyword]]
                return self._described({"anyOf": options}, schema, path)
        return self._plain(schema, path, inside)

    def _plain(
        self, schema: Mapping[str, Any], path: str, inside: tuple[str, ...]
    ) -> dict[str, Any]:
        narrow = {name: schema[name] for name in ("type", "enum", "const") if name in schema}
        kinds = schema.get("type")
        kinds = list(kinds) if isinstance(kinds, (list, tuple)) else [kinds] if kinds else []
        if not kinds:
            kinds = [kind for kind, sign in _SIGNS if sign in schema]
            narrow = {**({"type": kinds[0]} if kinds else {}), **narrow}
        if not kinds and "enum" not in schema and "const" not in schema:
            self._refuse(path, "accepts any value")
        if "object" in kinds:
            narrow.update(self._object(schema, path, inside))
        notes: list[str] = []
        if "array" in kinds:
            narrow.update(self._array(schema, path, inside, notes))
        return self._described(narrow, schema, path, notes)

    def _object(
        self, schema: Mapping[str, Any], path: str, inside: tuple[str, ...]
    ) -> dict[str, Any]:
        properties = schema.get("properties")
        others = schema.get("additionalProperties", properties is None)
        if (properties is None and others) or isinstance(others, Mapping):
            self._refuse(path, "is a dict with free keys")
        narrow = {
            name: self._narrow(value, f"{path}.{name}" if path else name, inside)
            for name, value in (properties or {}).items()
        }
        return {"properties": narrow, "required": list(narrow), "additionalProperties": False}

    def _array(
        self, schema: Mapping[str, Any], path: str, inside: tuple[str, ...], notes: list[str]
    ) -> dict[str, Any]:
        items, positions = schema.get("items"), schema.get("prefixItems")
        if positions is None and isinstance(items, list):  # as it was written before 2020-12
            positions, items = items, schema.get("additionalItems")
        place = f"{path}[]"
        if not positions:
            if items is None or isinstance(items, bool):
                self._refuse(place, "accepts any value")
            return {"items": self._narrow(items, place, inside)}
        options: list[dict[str, Any]] = []
        narrow = [self._narrow(each, f"{path}[{n}]", inside) for n, each in enumerate(positions)]
        if isinstance(items, Mapping) and items:
            narrow.append(self._narrow(items, place, inside))
        for option in narrow:
            if option not in options:
                options.append(option)
        if len(options) > 1:
            kinds = ", ".join(_kind(each) for each in narrow[: len(positions)])
            notes.append(f"the items are, in this order: {kinds}")
        return {"items": options[0] if len(options) == 1 else {"anyOf": options}}

    def _referred(
        self, schema: Mapping[str, Any], path: str, inside: tuple[str, ...]
    ) -> dict[str, Any]:
        reference = schema["$ref"]
        target = self._target(reference, path)
        is_recursive = self._is_recursive(reference, path)
        if is_recursive and not self._mode.recursive:
            self._refuse(path, f"contains itself ({reference})")
        beside = {name: schema[name] for name in ("description",) if schema.get(name)}
        if is_recursive or not beside:
            return {"$ref": reference}  # nothing may stand beside a reference
        return self._narrow({**target, **beside}, path, (*inside, reference))

    def _merged(self, schema: Mapping[str, Any], path: str) -> dict[str, Any]:
        """Merge the parts of ``allOf``."""
        merged: dict[str, Any] = {}
        beside = {name: value for name, value in schema.items() if name != "allOf"}
        for given in [*schema["allOf"], beside]:
            part = given
            while isinstance(part, Mapping) and "$ref" in part:
                if self._is_recursive(part["$ref"], path):
                    if len(schema["allOf"]) == 1:
                        return {**beside, **part}
                    self._refuse(path, "has the keyword 'allOf' around itself")
                part = {
                    **self._target(part["$ref"], path),
                    **{k: v for k, v in part.items() if k != "$ref"},
                }
            for name, value in part.items():
                if name == "properties":
                    merged[name] = {**merged.get(name, {}), **value}
                elif name == "required":
                    merged[name] = [*merged.get(name, []), *value]
                elif name in ("title", "description", "default") or merged.get(name) in (
                    None,
                    value,
                ):
                    merged[name] = value
                else:
                    self._refuse(path, f"has the keyword 'allOf' with several values of {name!r}")
        return merged

    def _described(
        self,
        narrow: dict[str, Any],
        schema: Mapping[str, Any],
        path: str,
        notes: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Add limits, and describe those that the service does not accept."""
        described = list(notes)
        for name in _LIMITS:
            if name not in schema or schema[name] in (None, False):
                continue
            value = schema[name]
            if self._accepts(name, value):
                narrow[name] = value
            else:
                described.append(f"{name}: {value}")
        text = schema.get("description") or ""
        if described:
            text = f"{text} ({'; '.join(described)})".strip()
        if text:
            narrow["description"] = text
        return narrow

    def _accepts(self, name: str, value: Any) -> bool:
        if name == "format":
            return value in self._mode.formats
        if name == "minItems" and value in (0, 1):
            return True
        if name == "pattern" and _LOOK_AROUND.search(str(value)):
            return False
        return name in self._mode.limits

    def _target(self, reference: str, path: str) -> Mapping[str, Any]:
        target: Any = self._root
        if not reference.startswith("#"):
            self._refuse(path, f"refers to another document, {reference}")
        for step in reference.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(target, Mapping) or name not in target:
                self._refuse(path, f"refers to {reference}, which the schema does not contain")
            target = target[name]
        if not isinstance(target, Mapping):
            self._refuse(path, f"refers to {reference}, which is not a schema")
        return target

    def _is_recursive(self, reference: str, path: str) -> bool:
        """Return whether a definition contains a reference to itself."""
        seen: set[str] = set()
        rest = list(_references(self._target(reference, path)))
        while rest:
            current = rest.pop()
            if current == reference:
                return True
            if current not in seen:
                seen.add(current)
                rest += _references(self._target(current, path))
        return False

    def _refuse(self, path: str, what: str) -> NoReturn:
        place = f"{self._part} {path!r} of {self._inside}" if path else self._inside
        raise self._error(
            f"{place} {what}, which {self._mode.name} does not accept; use a model with named "
            "fields of one type each, or a schema without strict"
        )


_SIGNS = (("object", "properties"), ("array", "items"), ("array", "prefixItems"))


def _references(schema: Any) -> list[str]:
    if isinstance(schema, Mapping):
        own = [schema["$ref"]] if isinstance(schema.get("$ref"), str) else []
        return own + [found for value in schema.values() for found in _references(value)]
    if isinstance(schema, list):
        return [found for value in schema for found in _references(value)]
    return []


def _without_titles(schema: Any, *, named: bool = False) -> Any:
    """Return a schema without titles, which strict modes accept and do not need."""
    if isinstance(schema, list):
        return [_without_titles(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        name: _without_titles(value, named=not named and name in ("properties", "$defs"))
        for name, value in schema.items()
        if named or name != "title"
    }


def _kind(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_kind(option) for option in schema["anyOf"])
    kind = schema.get("type") or schema.get("enum") or schema.get("const")
    return str(kind)
