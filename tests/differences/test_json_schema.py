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


def takes(model, value):
    try:
        model.model_validate({"a": value})
    except ValidationError:
        return False
    return True


def test_an_unknown_format_is_an_annotation():
    with pytest.raises(autogen_core.utils._json_to_pydantic.FormatNotSupportedError):
        both({"type": "string", "format": "uri-reference"})
    whole = {"type": "object", "properties": {"a": {"type": "integer", "format": "uint32"}}}
    assert ferrogen.utils.schema_to_pydantic_model(whole).model_validate({"a": 1}).a == 1


def test_a_format_of_another_type_is_an_annotation():
    upstream, ours = both({"type": "number", "format": "date"})
    assert (takes(upstream, 1.5), takes(ours, 1.5)) == (False, True)


def test_limits_beside_a_format_hold():
    upstream, ours = both({"type": "integer", "format": "int32", "minimum": 3})
    assert (takes(upstream, 1), takes(ours, 1)) == (True, False)


def test_a_uuid_may_be_of_any_version():
    upstream, ours = both({"type": "string", "format": "uuid"})
    newer = "018f6c1e-0000-7000-8000-000000000000"
    assert (takes(upstream, newer), takes(ours, newer)) == (False, True)


def test_a_pattern_may_look_around():
    with pytest.raises(Exception, match="look-around"):
        both({"type": "string", "pattern": "^(?!admin)"})
    whole = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(?!admin)"}}}
    model = ferrogen.utils.schema_to_pydantic_model(whole)
    assert (takes(model, "user"), takes(model, "admin")) == (True, False)


def test_an_array_with_a_schema_for_each_item_is_a_tuple():
    schema = {"prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False}
    whole = {"type": "object", "properties": {"a": {"type": "array", "minItems": 2, **schema}}}
    with pytest.raises(TypeError):
        autogen_core.utils.schema_to_pydantic_model(whole)
    ours = ferrogen.utils.schema_to_pydantic_model(whole)
    assert ours.model_validate({"a": [1, "x"]}).a == (1, "x")
    assert not takes(ours, ["x", 1])


def test_definitions_that_are_not_at_the_root_are_found():
    inner = {"type": "object", "$defs": {"up": {"type": "integer"}}}
    inner["properties"] = {"by": {"$ref": "#/$defs/up"}}
    with pytest.raises(autogen_core.utils._json_to_pydantic.ReferenceNotFoundError):
        both(inner)
    whole = {"type": "object", "properties": {"a": inner}}
    ours = ferrogen.utils.schema_to_pydantic_model(whole)
    assert (takes(ours, {"by": 1}), takes(ours, {"by": "x"})) == (True, False)


def test_references_are_decoded():
    whole = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/a%20b"}, "b": {"$ref": "#other"}},
        "$defs": {"a b": {"type": "object"}, "c": {"$anchor": "other", "type": "object"}},
    }
    with pytest.raises(autogen_core.utils._json_to_pydantic.ReferenceNotFoundError):
        autogen_core.utils.schema_to_pydantic_model(whole)
    ours = ferrogen.utils.schema_to_pydantic_model(whole)
    assert (takes(ours, {}), takes(ours, 1)) == (True, False)


def test_keywords_beside_a_reference_hold():
    place = {"type": "object", "properties": {"city": {"type": "string"}}}
    whole = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/place", "required": ["city"]}},
        "$defs": {"place": place},
    }
    upstream = autogen_core.utils.schema_to_pydantic_model(whole)
    ours = ferrogen.utils.schema_to_pydantic_model(whole)
    assert (takes(upstream, {}), takes(ours, {})) == (True, False)


def test_keywords_that_no_type_expresses_hold():
    upstream, ours = both({"type": "string", "not": {"const": "x"}})
    assert (takes(upstream, "x"), takes(ours, "x")) == (True, False)


def test_truth_values_are_not_numbers_in_an_enum():
    upstream, ours = both({"enum": [1, 2]})
    assert upstream.model_fields["a"].annotation == ours.model_fields["a"].annotation
    assert (takes(upstream, True), takes(ours, True)) == (True, False)


def test_limits_of_earlier_drafts_are_read():
    upstream, ours = both({"type": "integer", "minimum": 0, "exclusiveMinimum": True})
    assert (takes(upstream, 1), takes(ours, 1), takes(ours, 0)) == (False, True, False)
