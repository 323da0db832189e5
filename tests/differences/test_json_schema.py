"""Schemas whose meaning upstream loses on the way to a model."""

import autogen_core.utils
import pytest
from pydantic import ValidationError

import ferrogen.utils


def both(schema):
    whole = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return [package.utils.schema_to_pydantic_model(whole) for package in (autogen_core, ferrogen)]


def test_a_definition_that_is_an_array_stays_one():
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/names"}},
        "required": ["a"],
        "$defs": {"names": {"type": "array", "items": {"type": "string"}}},
    }
    upstream = autogen_core.utils.schema_to_pydantic_model(schema)
    ours = ferrogen.utils.schema_to_pydantic_model(schema)
    with pytest.raises(ValidationError):
        upstream.model_validate({"a": ["x"]})
    assert ours.model_validate({"a": ["x"]}).a == ["x"]


def test_limits_of_items_hold():
    upstream, ours = both({"type": "array", "items": {"type": "integer", "minimum": 1}})
    assert upstream.model_validate({"a": [0]}).a == [0]
    with pytest.raises(ValidationError):
        ours.model_validate({"a": [0]})


def test_items_without_a_type_are_anything():
    upstream, ours = both({"type": "array"})
    with pytest.raises(ValidationError):
        upstream.model_validate({"a": [1]})
    assert ours.model_validate({"a": [1]}).a == [1]


def test_additional_properties_are_heeded():
    whole = {"type": "object", "properties": {"a": {"type": "string"}}}
    whole["additionalProperties"] = False
    upstream = autogen_core.utils.schema_to_pydantic_model(whole)
    ours = ferrogen.utils.schema_to_pydantic_model(whole)
    assert upstream.model_validate({"b": 1}).a is None
    with pytest.raises(ValidationError):
        ours.model_validate({"b": 1})


def test_const_and_untyped_properties_and_lists_of_types_are_taken():
    for schema, value in [({"const": "x"}, "x"), ({}, 1), ({"type": ["string", "null"]}, None)]:
        with pytest.raises((TypeError, autogen_core.utils._json_to_pydantic.SchemaConversionError)):
            both(schema)
        whole = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
        ours = ferrogen.utils.schema_to_pydantic_model(whole)
        assert ours.model_validate({"a": value}).a == value
