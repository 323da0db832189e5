"""The JSON Schema of a dumped component, its config included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, create_model
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema

from ferrogen.components.component import is_component_class
from ferrogen.components.loader import missing_class_variable
from ferrogen.components.model import ComponentModel, first_paragraph
from ferrogen.components.providers import WELL_KNOWN_PROVIDERS, provider_of
from ferrogen.components.secrets import KEY
from ferrogen.exceptions import ComponentDefinitionError, ComponentTypeError

_NOTHING: JsonSchemaValue = {"not": {}}
_REFERENCE: JsonSchemaValue = {
    "description": "A secret, by the name of the environment variable that holds it.",
    "type": "object",
    "properties": {KEY: {"type": "string", "minLength": 1}},
    "required": [KEY],
    "additionalProperties": False,
}


def component_json_schema(
    component_class: type[Any], nested: Sequence[type[Any]] | None = None
) -> JsonSchemaValue:
    """Describe what a component class can be loaded from, for editors and forms.

    Args:
        component_class: The class.
        nested: The classes that may stand where a config holds components; by default anything
            that has the shape of a dumped component may.

    Returns:
        A JSON Schema, draft 2020-12, of the dumped component with its config.

    Raises:
        ComponentTypeError: One of these is not a component class.
        ComponentDefinitionError: A class lacks a class variable, or JSON Schema has no words for
            its config.
    """
    models: dict[type[Any], type[BaseModel]] = {
        one: _dumped_model(one) for one in (component_class, *(nested or ()))
    }
    described: list[type[BaseModel]] = [*models.values(), ComponentModel]
    try:
        references, schema = models_json_schema(
            [(model, "validation") for model in described],
            schema_generator=_Generator,
        )
    except PydanticInvalidForJsonSchema as error:
        raise ComponentDefinitionError(
            f"JSON Schema has no words for a config of these: {', '.join(map(provider_of, models))}"
            f": {error}"
        ) from error
    definitions = schema["$defs"]
    anything = references[ComponentModel, "validation"]["$ref"].rpartition("/")[2]
    if nested is None:
        definitions[anything]["description"] = first_paragraph(ComponentModel)
    else:
        inner = [references[models[one], "validation"] for one in dict.fromkeys(nested)]
        definitions[anything] = {"anyOf": inner} if inner else _NOTHING
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **references[models[component_class], "validation"],
        "$defs": definitions,
    }


def _dumped_model(component_class: Any) -> type[BaseModel]:
    """Make the model of the dumps of a class."""
    if not is_component_class(component_class):
        raise ComponentTypeError(f"{component_class!r} is not a component class")
    own: Any = component_class
    provider = own.component_provider_override or provider_of(own)
    lacking = missing_class_variable(own)
    if lacking:
        raise ComponentDefinitionError(f"{lacking} not defined by {provider}")
    short = [name for name, long in WELL_KNOWN_PROVIDERS.items() if long == provider]
    providers = (provider, provider_of(own), *short)
    one_of: Any = Literal
    fields: dict[str, Any] = {
        "provider": (one_of[providers], ...),
        "component_type": (one_of[own.component_type] | None, None),
        "component_version": (one_of[own.component_version] | None, None),
        "config": (own.component_config_schema, ...),
    }
    name = own.component_label or own.__name__
    doc = own.component_description or first_paragraph(own) or ""
    model: type[BaseModel] = create_model(name, __base__=ComponentModel, __doc__=doc, **fields)
    return model


class _Generator(GenerateJsonSchema):
    """Allows a reference in the place of any secret."""

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        described = super().generate_inner(schema)
        if described.get("writeOnly") and described.get("format") == "password":
            return {"anyOf": [described, _REFERENCE]}
        return described
