"""Pydantic models from JSON Schemas."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, ForwardRef, Optional, Union, get_args, get_origin

from pydantic import BaseModel, Field, RootModel, create_model

from ferrogen.exceptions import UnsupportedKeywordError
from ferrogen.json_schema.assertions import NEVER, Assertions, asserting
from ferrogen.json_schema.choices import ExactChoices, chooses_numbers, one_of_values
from ferrogen.json_schema.evaluation import Evaluation
from ferrogen.json_schema.fields import field_name, model_config, model_with_extras
from ferrogen.json_schema.merging import ALSO, ANNOTATIONS, flatten
from ferrogen.json_schema.references import Schema, look_up, with_absolute_references
from ferrogen.json_schema.shapes import (
    ASSERTED,
    UNTYPED,
    FromListsToo,
    Positions,
    asserted_of_model,
    distinguishes,
    is_model,
    properties_of,
)
from ferrogen.json_schema.types import TYPE_MAPPING, constrained, type_of_format

_ALTERNATIVES = ("anyOf", "oneOf")
_COMPOSED = frozenset(("$ref", "allOf", "const", "enum", *_ALTERNATIVES))


class SchemaModels:
    """Builds the model of one schema, and the models of what it refers to."""

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}
        self._schema: dict[str, Any] = {}
        self._types: dict[str, Any] = {}
        self._placeholders: dict[str, str] = {}
        self._models: list[type[BaseModel]] = []
        self._chooses_numbers = False

    def json_schema_to_pydantic(
        self,
        schema: dict[str, Any],
        model_name: str = "GeneratedModel",
        root_schema: dict[str, Any] | None = None,
    ) -> type[BaseModel]:
        """Build the model of a schema whose references lead into the root schema."""
        if root_schema is None:
            self._schema = self._root = with_absolute_references(schema)
        else:
            self._root = with_absolute_references({**root_schema, "$part": schema})
            self._schema = self._root["$part"]
        self._chooses_numbers = chooses_numbers(self._root)
        return self._document(model_name)

    def _document(self, name: str) -> type[BaseModel]:
        flat = flatten(self._schema, self._root)
        anything = not flat.keys() - ANNOTATIONS or flat.keys() - ANNOTATIONS == {"type"}
        if is_model(flat) or (anything and flat.get("type", "object") == "object"):
            model = self._model_of_document(flat, name)
        else:
            model = self._root_model(self._type(self._schema, name), name)
        types = {self._placeholders[key]: self._types[key] for key in self._placeholders}
        for built in self._models:
            built.model_rebuild(force=True, _types_namespace=types)
        return model

    def _root_model(self, kind: Any, name: str) -> type[BaseModel]:
        base: Any = RootModel.__class_getitem__(self._exact(kind))
        model: type[BaseModel] = create_model(name, __base__=base)
        self._models.append(model)
        return model

    def _model(self, flat: Schema, name: str) -> Any:
        """Create a model; keywords that it cannot express stand beside it."""
        asserted = asserted_of_model(flat)
        base = self._base(flat, name)
        model = self._created(flat, name, base)
        return Annotated[model, self._assertions(asserted)] if asserted else model

    def _model_of_document(self, flat: Schema, name: str) -> type[BaseModel]:
        asserted = asserted_of_model(flat)
        # One class stands for the document, so that its alternatives are checked and not built.
        choices = [{"anyOf": flat[keyword]} for keyword in _ALTERNATIVES if keyword in flat]
        if choices:
            asserted[ALSO] = [*asserted.get(ALSO, ()), *choices]
        base = self._base(flat, name)
        if asserted:
            base = asserting(base, self._assertions(asserted))
        return self._created(flat, name, base)

    def _created(self, flat: Schema, name: str, base: type[BaseModel]) -> type[BaseModel]:
        required = flat.get("required", ())
        fields: dict[str, Any] = {}
        for key, value in properties_of(flat).items():
            python_name = field_name(key, taken=flat.get("properties", {}))
            alias = None if python_name == key else key
            fields[python_name] = self._field(key, value, name, alias, required=key in required)
        with warnings.catch_warnings():
            # A property may be called as a method of pydantic: "copy", "json", "schema".
            warnings.filterwarnings("ignore", "Field name .* shadows an attribute", UserWarning)
            model = create_model(name, __base__=base, __module__=__name__, **fields)
        self._models.append(model)
        return model

    def _base(self, flat: Schema, name: str) -> type[BaseModel]:
        declared = properties_of(flat)
        aliased = any(field_name(key, taken=declared) != key for key in declared)
        extra = True if "patternProperties" in flat else flat.get("additionalProperties")
        config = model_config(extra, aliased=aliased)
        if isinstance(extra, dict):
            return model_with_extras(self._exact(self._type(extra, f"{name}_extra")), config)
        return type("Base", (BaseModel,), {"model_config": config})

    def _field(
        self, key: str, schema: Any, name: str, alias: str | None, *, required: bool
    ) -> tuple[Any, Any]:
        facts = schema if isinstance(schema, dict) else {}
        kind = self._property_type(schema, f"{name}_{key}")
        default = facts.get("default")
        if not required and default is None:
            kind = Optional[kind]  # noqa: UP045 - may be a forward reference
        return self._exact(kind), Field(
            ... if required else default,
            alias=alias,
            title=facts.get("title"),
            description=facts.get("description"),
        )

    def _exact(self, kind: Any) -> Any:
        return (
            Annotated[kind, ExactChoices()] if self._chooses_numbers and kind is not Any else kind
        )

    def _property_type(self, schema: Any, name: str) -> Any:
        if not isinstance(schema, dict):
            return self._type(schema, name)
        json_type = schema.get("type")
        if "format" in schema and isinstance(json_type, str) and not _COMPOSED & schema.keys():
            kind = type_of_format(schema["format"], json_type)
            if kind is not None:
                limits = {key: schema[key] for key in schema.keys() & UNTYPED}
                return Annotated[kind, self._assertions(limits)] if limits else kind
        kind = self._type(schema, name)
        discriminator = schema.get("discriminator")
        if "oneOf" in schema and isinstance(discriminator, dict):
            key = discriminator.get("propertyName")
            if distinguishes(key, kind):
                return Annotated[kind, Field(discriminator=key)]
        return kind

    def _type(self, schema: Any, name: str) -> Any:
        if schema is False:
            return NEVER
        if schema is True or not schema.keys() - ANNOTATIONS:
            return Any
        if schema.keys() - ANNOTATIONS == {"$ref"}:
            return self._referred(schema["$ref"])
        if "$ref" in schema or "allOf" in schema:
            # It may be inside of what it refers to, and then contains itself.
            key = json.dumps(schema, sort_keys=True, default=repr)
            return self._once(key, name, lambda: flatten(schema, self._root))
        return self._flat_type(flatten(schema, self._root), name)

    def _flat_type(self, flat: Schema, name: str) -> Any:
        for keyword in _ALTERNATIVES:
            if keyword in flat:
                rest = {key: flat[key] for key in flat.keys() - ANNOTATIONS - {keyword}}
                return self._union(flat[keyword], rest, name)
        if "const" in flat or "enum" in flat:
            return self._choice(flat)
        if is_model(flat):
            return self._model(flat, name)
        if "type" not in flat:
            untyped = {key: flat[key] for key in flat.keys() & UNTYPED}
            return Annotated[Any, self._assertions(untyped)] if untyped else Any
        return self._typed(flat, name)

    def _choice(self, flat: Schema) -> Any:
        values = [flat["const"]] if "const" in flat else flat["enum"]
        rest = {key: flat[key] for key in flat if key not in ("const", "enum")}
        if "const" in flat and "enum" in flat:
            rest["enum"] = flat["enum"]
        evaluation = Evaluation(self._root)
        return one_of_values([value for value in values if evaluation.holds(rest, value)])

    def _union(self, branches: list[Any], rest: Schema, name: str) -> Any:
        kinds = []
        for number, branch in enumerate(branches):
            inner = f"{name}_{number}"
            if rest and branch is not False:
                whole = {"allOf": [rest, branch]}
                key = json.dumps(whole, sort_keys=True, default=repr)
                kinds.append(self._once(key, inner, partial(self._merged, whole)))
            else:
                kinds.append(self._type(branch, inner))
        return Union[tuple(kinds)]  # noqa: UP007 - as many as there are

    def _merged(self, whole: Schema) -> Schema | None:
        try:
            return flatten(whole, self._root)
        except UnsupportedKeywordError:
            return None  # the branch contradicts what stands beside it: nothing matches it

    def _typed(self, flat: Schema, name: str) -> Any:
        named = flat["type"]
        names = named if isinstance(named, list) else [named]
        kinds = []
        for json_type in names:
            if json_type not in TYPE_MAPPING:
                raise UnsupportedKeywordError(
                    f"unsupported type {json_type!r} in {name!r}; "
                    f"give one of {sorted(TYPE_MAPPING)}"
                )
            one = {**flat, "type": json_type}
            kinds.append(self._model(one, name) if is_model(one) else self._plain(one, name))
        return Union[tuple(kinds)]  # noqa: UP007 - as many as there are

    def _plain(self, flat: Schema, name: str) -> Any:
        kind = TYPE_MAPPING[flat["type"]]
        asserted = {key: flat[key] for key in flat.keys() & ASSERTED}
        if flat["type"] == "array" and "prefixItems" in flat:
            kind = self._tuple(flat, name)
            flat = {key: flat[key] for key in flat if key not in ("minItems", "maxItems")}
        elif flat["type"] == "array":
            kind = kind[self._type(flat.get("items", True), f"{name}_item")]
        elif flat["type"] == "object" and "patternProperties" in flat:
            asserted["additionalProperties"] = flat.get("additionalProperties", True)
        elif flat["type"] == "object" and isinstance(flat.get("additionalProperties"), dict):
            kind = dict[str, self._type(flat["additionalProperties"], name)]  # type: ignore[misc]
        kind = constrained(kind, flat)
        return Annotated[kind, self._assertions(asserted)] if asserted else kind

    def _tuple(self, flat: Schema, name: str) -> Any:
        schemas = flat["prefixItems"]
        first = [self._type(item, f"{name}_{number}") for number, item in enumerate(schemas)]
        rest = flat.get("items", True)
        least, most = flat.get("minItems", 0), flat.get("maxItems")
        if rest is False:
            most = len(first) if most is None else min(most, len(first))
        if least == most == len(first):
            exact: Any = tuple[tuple(first)]  # type: ignore[misc]
            return Annotated[exact, FromListsToo()]
        kind: Any = NEVER if rest is False else self._type(rest, f"{name}_item")
        return Annotated[tuple, Positions(first, kind, least, most)]

    def _assertions(self, keywords: Schema) -> Assertions:
        return Assertions(keywords, self._root)

    def _referred(self, reference: str) -> Any:
        name = reference.rpartition("/")[2].removeprefix("#") or "Root"
        target = look_up(reference, self._root)
        return self._once(reference, name, lambda: flatten(target, self._root), named=True)

    def _once(
        self,
        key: str,
        name: str,
        flatten_it: Callable[[], Schema | None],
        *,
        named: bool = False,
    ) -> Any:
        """Build a type at its first use; inside itself it is a forward reference."""
        if key not in self._types:
            self._types[key] = None
            flat = flatten_it()
            kind = NEVER if flat is None else self._flat_type(flat, name) if flat else Any
            plain = get_args(kind)[0] if get_origin(kind) is Annotated else kind
            a_model = isinstance(plain, type) and issubclass(plain, BaseModel)
            if key in self._placeholders and not a_model:
                # It contains itself, so it needs a name of its own.
                kind = self._root_model(kind, name)
            elif named and a_model:
                plain.__name__ = plain.__qualname__ = name
            self._types[key] = kind
        if self._types[key] is None:
            return ForwardRef(
                self._placeholders.setdefault(key, f"Reference{len(self._placeholders)}")
            )
        return self._types[key]
