"""Models from schemas that upstream does not take, and errors that name what is wrong."""

from typing import List, Literal  # noqa: UP035 - as upstream has it

import pytest
from pydantic import ValidationError

from ferrogen.exceptions import ReferenceNotFoundError, UnsupportedKeywordError
from ferrogen.json_schema.builder import SchemaModels
from ferrogen.json_schema.types import FORMAT_MAPPING
from ferrogen.tools import FunctionTool
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


@pytest.mark.parametrize(
    "name",
    ["_private", "model_config", "model_dump", "with-dash", "class", "copy", "json", "schema"],
)
def test_any_property_name_goes_in_and_comes_out(name):
    schema = {"type": "object", "properties": {name: {"type": "integer"}}, "required": [name]}
    model = schema_to_pydantic_model(schema)
    assert model.model_validate({name: 1}).model_dump() == {name: 1}
    assert list(model.model_json_schema()["properties"]) == [name]


@pytest.mark.parametrize(
    ("schema", "error", "words"),
    [
        ({"$ref": "#/$defs/none"}, ReferenceNotFoundError, "#/\\$defs/none"),
        ({"type": "text"}, UnsupportedKeywordError, "'text' in 'Box_a'"),
        ({"type": "string", "pattern": "["}, UnsupportedKeywordError, "pattern '\\['"),
        ({"allOf": [{"type": "string"}, {"type": "null"}]}, UnsupportedKeywordError, "'null'"),
        ({"allOf": [{"const": 1}, {"const": 2}]}, UnsupportedKeywordError, "both 1 and 2"),
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


# ---- what a field becomes


@pytest.mark.parametrize(
    ("schema", "annotation"),
    [
        ({"enum": [1, 2, 3]}, Literal[1, 2, 3]),
        ({"enum": ["a", 1, None]}, Literal["a", 1, None]),
        ({"const": True}, Literal[True]),
        ({"type": "string", "enum": ["a", 1]}, Literal["a"]),
        ({"type": "array", "items": {"enum": [1, 2]}}, List[Literal[1, 2]]),  # noqa: UP006
        ({"anyOf": [{"enum": [1, 2]}, {"type": "null"}]}, Literal[1, 2] | None),
        ({"type": "integer", "format": "uint32", "minimum": 1}, int),
        ({"type": "string", "format": "email"}, str),
        ({"type": "number", "format": "date"}, float),
        ({"type": "string", "pattern": "^(?!a)"}, str),
        (
            {
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "minItems": 2,
                "items": False,
            },
            tuple[int, str],
        ),
    ],
    ids=str,
)
def test_annotations_are_plain(schema, annotation, monkeypatch):
    monkeypatch.setitem(FORMAT_MAPPING, "email", str)  # as it is without email-validator
    assert model_of(schema).model_fields["a"].annotation == annotation


BEFORE = {"type": "integer", "minimum": 1, "exclusiveMinimum": True}
NESTED = {
    "type": "object",
    "$defs": {"order": {"enum": ["up", "down"]}},
    "properties": {"by": {"$ref": "#/$defs/order"}},
}
SAME_NAME = {
    "type": "object",
    "$defs": {"order": {"type": "integer"}},
    "properties": {"by": {"$ref": "#/$defs/order"}},
}


@pytest.mark.parametrize(
    ("schema", "taken", "refused"),
    [
        ({"type": "string", "format": "odd", "minLength": 2}, ["ab"], ["a", 1]),
        ({"type": "integer", "format": "int32", "minimum": 3}, [3], [2, 2**31]),
        ({"type": "string", "format": "date", "pattern": "^2"}, ["2026-01-02"], ["1999-01-02"]),
        (
            {"type": "string", "format": "uuid"},
            ["018f6c1e-0000-7000-8000-000000000000"],
            ["018f6c1e"],
        ),
        (BEFORE, [2], [1]),
        ({**BEFORE, "exclusiveMinimum": False}, [1], [0]),
        ({"type": "string", "minLength": 1.0}, ["a"], [""]),
        ({"type": "string", "required": True}, ["a"], [1]),
        ({"type": "array", "items": [{"type": "integer"}]}, [[], [1], [1, "a"]], [["a"]]),
        (
            {"type": "array", "items": [{"type": "integer"}], "additionalItems": False},
            [[1]],
            [[1, 2]],
        ),
        ({"type": "object", "dependencies": {"a": ["b"]}}, [{"b": 1}], [{"a": 1}]),
        ({"items": {"type": "integer"}}, [[1], "a"], [["a"]]),
        ({"pattern": "^a"}, ["ab", 1], ["b"]),
        ({"type": "string", "pattern": "^(?!admin$)"}, ["admins"], ["admin"]),
        ({"type": "string", "pattern": r"(?<last>.)\k<last>$"}, ["all"], ["al", "all\n"]),
        ({"allOf": [{"type": "string", "pattern": "a"}, {"pattern": "b"}]}, ["ba"], ["a", "b"]),
        ({"not": {"type": "string"}}, [1], ["a"]),
        ({"type": "integer", "not": {"enum": [1, 2]}}, [3], [1, "1"]),
        ({"type": "array", "items": False}, [[]], [[1]]),
        ({"enum": [1, 2]}, [1], [True, 3]),
        ({"enum": [0, False]}, [0, False], [1, True]),
        (NESTED, [{"by": "up"}], [{"by": 1}]),
        ({"type": "array", "items": SAME_NAME}, [[{"by": 1}]], [[{"by": "up"}]]),
    ],
    ids=str,
)
def test_values_are_taken_or_refused(schema, taken, refused):
    model = model_of(schema, **{"$defs": {}})
    for value in taken:
        assert model.model_validate({"a": value})
    for value in refused:
        with pytest.raises(ValidationError):
            model.model_validate({"a": value})


def test_definitions_of_one_name_in_two_places_are_two():
    model = schema_to_pydantic_model(
        {"type": "object", "properties": {"a": NESTED, "b": SAME_NAME}}, "Box"
    )
    value = {"a": {"by": "up"}, "b": {"by": 1}}
    assert model.model_validate(value).model_dump() == value


REFERENCES = {
    "#/$defs/a%20b": {"$defs": {"a b": {"type": "integer"}}},
    "#/$defs/a~1b~0c": {"$defs": {"a/b~c": {"type": "integer"}}},
    "#/$defs/100%25": {"$defs": {"100%": {"type": "integer"}}},
    "#/$defs/list/anyOf/0": {"$defs": {"list": {"anyOf": [{"type": "integer"}, True]}}},
    "#/definitions/number": {"definitions": {"number": {"type": "integer"}}},
    "#number": {"$defs": {"any": {"$anchor": "number", "type": "integer"}}},
    "number.json": {
        "$id": "https://example.com/root.json",
        "$defs": {"any": {"$id": "number.json", "type": "integer"}},
    },
    "https://example.com/b.json#/$defs/n": {
        "$defs": {
            "any": {"$id": "https://example.com/b.json", "$defs": {"n": {"type": "integer"}}}
        },
    },
    "#/components/schemas/A": {
        "components": {
            "schemas": {"A": {"$ref": "#/components/schemas/B"}, "B": {"type": "integer"}}
        }
    },
    "#/components/schemas/Pet": {"$defs": {"Pet": {"type": "integer"}}},
}


@pytest.mark.parametrize("reference", REFERENCES)
def test_references_of_every_form_are_followed(reference):
    model = model_of({"$ref": reference}, **REFERENCES[reference])
    assert model.model_validate({"a": 1}).a == 1
    with pytest.raises(ValidationError):
        model.model_validate({"a": "x"})


def test_a_reference_inside_of_a_part_with_an_id_leads_to_that_part():
    inner = {
        "$id": "https://example.com/inner.json",
        "type": "object",
        "properties": {"n": {"$ref": "#/$defs/n"}},
        "$defs": {"n": {"type": "integer"}},
    }
    model = model_of(inner, **{"$defs": {"n": {"type": "string"}}})
    assert model.model_validate({"a": {"n": 1}}).a.n == 1


@pytest.mark.parametrize("reference", ["#", "#node"])
def test_a_dynamic_reference_leads_to_its_anchor(reference):
    schema = {
        "$dynamicAnchor": "node",
        "type": "object",
        "properties": {"next": {"$dynamicRef": reference}, "n": {"type": "integer"}},
    }
    model = schema_to_pydantic_model(schema, "Node")
    assert model.model_validate({"next": {"n": 1}}).next.n == 1
    with pytest.raises(ValidationError):
        model.model_validate({"next": {"n": "x"}})


def test_what_stands_beside_a_reference_holds():
    definitions = {
        "number": {"type": "integer"},
        "place": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
    model = schema_to_pydantic_model(
        {
            "type": "object",
            "properties": {
                "n": {"$ref": "#/$defs/number", "minimum": 3, "description": "N.", "default": 4},
                "p": {
                    "$ref": "#/$defs/place",
                    "properties": {"zip": {"type": "string"}},
                    "required": ["zip"],
                },
            },
            "$defs": definitions,
        }
    )
    assert model.model_validate({}).n == 4
    assert model.model_fields["n"].description == "N."
    place = {"city": "Turin", "zip": "10121"}
    assert model.model_validate({"p": place}).p.model_dump() == place
    for wrong in ({"n": 2}, {"p": {"city": "Turin"}}):
        with pytest.raises(ValidationError):
            model.model_validate(wrong)


def test_a_tuple_may_contain_itself():
    pair = {
        "type": "array",
        "prefixItems": [{"type": "integer"}, {"$ref": "#/$defs/pair"}],
        "items": False,
    }
    model = model_of({"$ref": "#/$defs/pair"}, **{"$defs": {"pair": pair}})
    assert model.model_validate({"a": [1, [2]]}).model_dump() == {"a": (1, (2,))}
    with pytest.raises(ValidationError):
        model.model_validate({"a": [1, 2]})


def test_properties_with_patterns_are_kept_and_checked():
    model = model_of(
        {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "patternProperties": {"^x-": {"type": "integer"}},
            "additionalProperties": False,
        }
    )
    assert model.model_validate({"a": {"x-1": 1}}).a.model_extra == {"x-1": 1}
    shown = FunctionTool(model, "d").schema["parameters"]["properties"]["a"]
    assert shown["patternProperties"] == {"^x-": {"type": "integer"}}
    assert shown["properties"]["a"]["anyOf"][0] == {"type": "string"}
    for wrong in ({"x-1": "a"}, {"b": 1}):
        with pytest.raises(ValidationError):
            model.model_validate({"a": wrong})


def test_a_model_is_not_checked_again_when_it_is_given_as_an_object():
    model = model_of({"type": "object", "properties": {"b": True}, "minProperties": 1})
    inner = model.model_validate({"a": {"b": 1}}).a
    assert model(a=inner).a is inner


def test_a_discriminator_that_cannot_tell_all_branches_is_ignored():
    branches = [
        {"type": "object", "properties": {"kind": {"const": kind}}, "required": ["kind"]}
        for kind in ("cat", "dog")
    ]
    schema = {
        "oneOf": [*branches, {"type": "null"}],
        "discriminator": {"propertyName": "kind"},
    }
    model = model_of(schema)
    assert model.model_validate({"a": None}).a is None
    assert model.model_validate({"a": {"kind": "dog"}}).a.kind == "dog"


def test_a_discriminator_works_beside_choices_of_numbers():
    branches = [
        {
            "type": "object",
            "properties": {"kind": {"const": kind}, "size": {"enum": [1, 2]}},
            "required": ["kind"],
        }
        for kind in ("cat", 1)
    ]
    for told_by in (branches[:1] * 2, branches):
        model = model_of({"oneOf": told_by, "discriminator": {"propertyName": "kind"}})
        assert model.model_validate({"a": {"kind": "cat", "size": 1}}).a.size == 1
        for wrong in ({"kind": "cat", "size": True}, {"kind": "dog"}):
            with pytest.raises(ValidationError):
                model.model_validate({"a": wrong})


def test_a_part_of_a_document_is_converted_by_upstreams_private_name():
    builder = SchemaModels()
    part = {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}}
    model = builder.json_schema_to_pydantic(part, "Part", {"$defs": {"n": {"type": "integer"}}})
    assert model.model_validate({"n": 1}).n == 1
