"""Pydantic models from JSON Schemas."""

from __future__ import annotations

from typing import Annotated, Any, ForwardRef, Optional, Union

from pydantic import BaseModel, Field, RootModel, create_model

from ferrogen._json_schema.choices import one_of_values
from ferrogen._json_schema.constraints import constrained
from ferrogen._json_schema.fields import field_name, model_config, model_with_extras
from ferrogen._json_schema.flattening import flatten
from ferrogen._json_schema.merging import ANNOTATIONS, Schema, merge
from ferrogen._json_schema.references import look_up
from ferrogen._json_schema.types import FORMAT_MAPPING, TYPE_MAPPING
from ferrogen.exceptions import FormatNotSupportedError, UnsupportedKeywordError

_ALTERNATIVES = ("anyOf", "oneOf")
_COMPOSED = frozenset(("$ref", "allOf", "const", "enum", *_ALTERNATIVES))


class SchemaModels:
    """Builds the model of one schema, and the models of what it refers to."""

    def __init__(self) -> None:
        self._root: Schema = {}
        self._references: dict[str, Any] = {}
        self._placeholders: dict[str, str] = {}
        self._models: list[type[BaseModel]] = []

    def json_schema_to_pydantic(
        self,
        schema: dict[str, Any],
        model_name: str = "GeneratedModel",
        root_schema: dict[str, Any] | None = None,
    ) -> type[BaseModel]:
        """Build the model of a schema whose references point into the root schema."""
        self._root = schema if root_schema is None else root_schema
        flat = flatten(schema, self._root)
        model = self._named(flat, model_name)
        types = {self._placeholders[ref]: self._references[ref] for ref in self._placeholders}
        for built in self._models:
            built.model_rebuild(force=True, _types_namespace=types)
        return model

    def _named(self, flat: dict[str, Any], name: str) -> type[BaseModel]:
        anything = not flat.keys() - ANNOTATIONS or flat.keys() - ANNOTATIONS == {"type"}
        if _is_model(flat) or (anything and flat.get("type", "object") == "object"):
            return self._model(flat, name)
        return self._root_model(self._type(flat, name), name)

    def _root_model(self, kind: Any, name: str) -> type[BaseModel]:
        base: Any = RootModel.__class_getitem__(kind)
        model: type[BaseModel] = create_model(name, __base__=base)
        self._models.append(model)
        return model

    def _model(self, flat: Schema, name: str) -> type[BaseModel]:
        required = flat.get("required", ())
        fields: dict[str, Any] = {}
        declared = flat.get("properties", {})
        undeclared = {key: True for key in required if key not in declared}
        for key, value in {**declared, **undeclared}.items():
            facts = value if isinstance(value, dict) else {}
            kind = self._property_type(key, facts if value is not False else False, name)
            default = facts.get("default")
            if key not in required and default is None:
                kind = Optional[kind]  # noqa: UP045 - may be a forward reference
            python_name = field_name(key, taken=declared)
            fields[python_name] = (
                kind,
                Field(
                    ... if key in required else default,
                    alias=None if python_name == key else key,
                    title=facts.get("title"),
                    description=facts.get("description"),
                ),
            )
        config = model_config(flat.get("additionalProperties"), aliased=fields.keys() != declared)
        base: type[BaseModel] = type("Base", (BaseModel,), {"model_config": config})
        extra = flat.get("additionalProperties")
        if isinstance(extra, dict):
            values = self._type(extra, f"{name}_extra")
            base = model_with_extras(values, config)
        model = create_model(name, __base__=base, __module__=__name__, **fields)
        self._models.append(model)
        return model

    def _property_type(self, key: str, schema: Any, name: str) -> Any:
        inner = f"{name}_{key}"
        plain = (
            bool(schema) and isinstance(schema.get("type"), str) and not _COMPOSED & schema.keys()
        )
        if not (plain and "format" in schema):
            kind = self._type(schema, inner)
        elif schema["format"] in FORMAT_MAPPING:
            return FORMAT_MAPPING[schema["format"]]
        else:
            raise FormatNotSupportedError(
                f"unknown format {schema['format']!r} of {key!r} in {name!r}; "
                f"known are {sorted(FORMAT_MAPPING)}"
            )
        if schema and "oneOf" in schema and "discriminator" in schema:
            return Annotated[kind, Field(discriminator=schema["discriminator"]["propertyName"])]
        return kind

    def _type(self, schema: Any, name: str) -> Any:
        if schema is False:
            raise UnsupportedKeywordError(f"{name!r} allows no value at all; leave it out")
        if schema is True or not schema.keys() - ANNOTATIONS:
            return Any
        if schema.keys() - ANNOTATIONS == {"$ref"}:
            return self._referred(schema["$ref"])
        flat = flatten(schema, self._root)
        for keyword in _ALTERNATIVES:
            if keyword in flat:
                rest = {key: flat[key] for key in flat.keys() - ANNOTATIONS - {keyword}}
                return self._union(flat[keyword], rest, name)
        if "const" in flat:
            return one_of_values([flat["const"]])
        if "enum" in flat:
            return one_of_values(flat["enum"])
        if _is_model(flat):
            return self._model(flat, name)
        return self._typed(flat, name)

    def _union(self, branches: list[Any], rest: Schema, name: str) -> Any:
        kinds = []
        for number, branch in enumerate(branches):
            whole = merge(rest, flatten(branch, self._root)) if rest else branch
            kinds.append(self._type(whole, f"{name}_{number}"))
        return Union[tuple(kinds)]  # noqa: UP007 - as many as there are

    def _typed(self, flat: Schema, name: str) -> Any:
        named = flat.get("type")
        names = named if isinstance(named, list) else [named]
        kinds = []
        for json_type in names:
            if json_type not in TYPE_MAPPING:
                raise UnsupportedKeywordError(
                    f"unsupported or missing type {json_type!r} in {name!r}; "
                    f"give one of {sorted(TYPE_MAPPING)}"
                )
            one = {**flat, "type": json_type}
            kinds.append(self._model(one, name) if _is_model(one) else self._plain(one, name))
        return Union[tuple(kinds)]  # noqa: UP007 - as many as there are

    def _plain(self, flat: Schema, name: str) -> Any:
        kind = TYPE_MAPPING[flat["type"]]
        if flat["type"] == "array":
            kind = kind[self._type(flat.get("items", True), f"{name}_item")]
        elif flat["type"] == "object" and isinstance(flat.get("additionalProperties"), dict):
            kind = dict[str, self._type(flat["additionalProperties"], name)]  # type: ignore[misc]
        return constrained(kind, flat)

    def _referred(self, reference: str) -> Any:
        if reference not in self._references:
            target = look_up(reference, self._root)
            self._references[reference] = None
            name = reference.rpartition("/")[2]
            flat = flatten(target, self._root)
            kind = self._type(flat, name)
            if reference in self._placeholders and not _is_model(flat):
                # It contains itself, so it needs a name of its own.
                kind = self._root_model(kind, name)
            elif isinstance(kind, type) and issubclass(kind, BaseModel):
                kind.__name__ = kind.__qualname__ = name
            self._references[reference] = kind
        if self._references[reference] is None:
            return ForwardRef(
                self._placeholders.setdefault(reference, f"Reference{len(self._placeholders)}")
            )
        return self._references[reference]


def _is_model(flat: Schema) -> bool:
    if flat.get("type", "object") != "object":
        return False
    if "properties" in flat or flat.get("required"):
        return True
    return flat.get("additionalProperties") is False
