"""Models from schemas that upstream does not take, and errors that name what is wrong."""

import pytest
from pydantic import ValidationError

from ferrogen.exceptions import (
    FormatNotSupportedError,
    ReferenceNotFoundError,
    UnsupportedKeywordError,
)
from ferrogen.utils import schema_to_pydantic_model


def model_of(schema, **more):
    return schema_to_pydantic_model(
        {"type": "object", "properties": {"a": schema}, "required": ["a"], **more}, "Box"
    )


def test_an_array_that_contains_itself_is_a_model_of_a_list():
    lists = {"type": "array", "items": {"$ref": "#/$defs/lists"}}
    model = model_of({"$ref": "#/$defs/lists"}, **{"$defs": {"lists": lists}})
    value = {"a": [[], [[]]]}
    assert model.model_validate(value).model_dump() == value
    with pytest.raises(ValidationError):
        model.model_validate({"a": [[1]]})


def test_a_schema_may_refer_to_its_own_root():
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}, "n": {"type": "integer"}}}
    model = schema_to_pydantic_model(schema, "Chain")
    assert model.model_validate({"n": 1, "next": {"n": 2}}).next.n == 2


def test_a_schema_of_a_list_is_a_root_model():
    model = schema_to_pydantic_model({"type": "array", "items": {"type": "integer"}})
    assert model.model_validate([1, 2]).model_dump() == [1, 2]


def test_all_of_keeps_the_limits_of_every_part():
    model = model_of({"allOf": [{"type": "integer", "minimum": 1}, {"minimum": 3}]})
    with pytest.raises(ValidationError):
        model.model_validate({"a": 2})
    assert model.model_validate({"a": 3}).a == 3


@pytest.mark.parametrize("name", ["_private", "model_config", "model_dump", "with-dash", "class"])
def test_any_property_name_goes_in_and_comes_out(name):
    schema = {"type": "object", "properties": {name: {"type": "integer"}}, "required": [name]}
    model = schema_to_pydantic_model(schema)
    assert model.model_validate({name: 1}).model_dump() == {name: 1}
    assert list(model.model_json_schema()["properties"]) == [name]


@pytest.mark.parametrize(
    ("schema", "error", "words"),
    [
        ({"$ref": "#/$defs/none"}, ReferenceNotFoundError, "#/\\$defs/none"),
        ({"type": "string", "format": "odd"}, FormatNotSupportedError, "'odd' of 'a' in 'Box'"),
        ({"type": "text"}, UnsupportedKeywordError, "'text' in 'Box_a'"),
        ({"minimum": 1}, UnsupportedKeywordError, "missing type"),
        ({"allOf": [{"type": "string"}, {"type": "null"}]}, UnsupportedKeywordError, "'null'"),
        ({"allOf": [{"pattern": "a"}, {"pattern": "b"}]}, UnsupportedKeywordError, "'pattern'"),
    ],
)
def test_what_cannot_be_converted_is_named(schema, error, words):
    with pytest.raises(error, match=words):
        model_of(schema)


@pytest.mark.parametrize("loop", [{"$ref": "#/$defs/x"}, {"allOf": [{"$ref": "#/$defs/x"}]}])
def test_a_reference_that_leads_to_nothing_but_itself_is_refused(loop):
    with pytest.raises(UnsupportedKeywordError, match="leads back to itself"):
        model_of({"$ref": "#/$defs/x"}, **{"$defs": {"x": loop}})


def test_a_format_beside_several_types_leaves_null_allowed():
    model = model_of({"type": ["string", "null"], "format": "date"})
    assert model.model_validate({"a": None}).a is None
