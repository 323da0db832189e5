"""What JSON Schema allows loads, and what loads strictly JSON Schema allows."""

import json
import re

import jsonschema_rs
from hypothesis import given, reject
from hypothesis import strategies as st
from pydantic import ValidationError

from ferrogen.exceptions import UnsupportedKeywordError
from ferrogen.json_schema.evaluation import Evaluation
from ferrogen.utils import schema_to_pydantic_model

from ..random_examples import examples

NAMES = st.sampled_from(["a", "b", "c"])
SMALL = st.integers(0, 3)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-4, 4)
    | st.sampled_from(["", "a", "ab", "abcd"])
    # 1.0 as an integer is one of the stated exceptions, and has a test of its own.
    | st.sampled_from([0.5, -1.5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
CHOICES = st.lists(VALUES, min_size=1, max_size=3).map(lambda values: {"enum": values})
PATTERNS = st.sampled_from(
    ["^a", "b$", "^(?!a)", "(?<=a)b", "(.)\\1", "^[\\s\\S]{2}$", "^a(?=b).*$"]
)
TEXTS = {"minLength": SMALL, "maxLength": SMALL, "pattern": PATTERNS}
LEAVES = st.one_of(
    st.sampled_from([{}, True, False]),
    st.fixed_dictionaries({"type": st.just("string")}, optional=TEXTS),
    st.fixed_dictionaries({}, optional={**TEXTS, "minimum": SMALL, "maxItems": SMALL}),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={
            "minimum": SMALL,
            "exclusiveMaximum": SMALL,
            "multipleOf": st.integers(1, 3),
        },
    ),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}]),
    CHOICES,
    VALUES.map(lambda value: {"const": value}),
    st.just({"$ref": "#/$defs/list"}),
    st.just({"$ref": "#/$defs/tree"}),
    # Beside a reference, also one to what contains this schema.
    st.fixed_dictionaries(
        {"$ref": st.sampled_from(["#/$defs/list", "#/$defs/bounded", "#/$defs/tree"])},
        optional={"minItems": SMALL, "description": st.just("d"), "maxProperties": SMALL},
    ),
)


def objects(inner):
    def with_all_or_none_required(properties, required, extra):
        schema = {"type": "object", "properties": properties}
        if required:
            schema["required"] = sorted(properties)
        return schema if extra is None else {**schema, "additionalProperties": extra}

    return st.builds(
        with_all_or_none_required,
        st.dictionaries(NAMES, inner, max_size=3),
        st.booleans(),
        st.none() | st.booleans() | inner,
    )


def tuples(inner):
    return st.fixed_dictionaries(
        {"type": st.just("array"), "prefixItems": st.lists(inner, min_size=1, max_size=2)},
        optional={
            "items": st.just(False) | inner,
            "minItems": SMALL,
            "maxItems": SMALL,
            "uniqueItems": st.booleans(),
        },
    )


def asserted(inner):
    """Add keywords that no type expresses to a schema of any kind."""
    keywords = st.fixed_dictionaries(
        {},
        optional={
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "contains": inner,
            "minContains": SMALL,
            "patternProperties": st.dictionaries(st.sampled_from(["a", "^[bc]$"]), inner),
            "propertyNames": st.sampled_from([{"maxLength": 0}, {"enum": ["a", "b"]}, True]),
            "dependentRequired": st.just({"a": ["b"]}),
            "dependentSchemas": st.dictionaries(NAMES, inner, max_size=1),
            "minProperties": SMALL,
            "maxProperties": SMALL,
        },
    )
    return st.builds(
        lambda schema, more: {**schema, **more} if isinstance(schema, dict) else more,
        inner,
        keywords,
    )


SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        objects(inner),
        st.fixed_dictionaries(
            {"type": st.just("array"), "items": inner},
            optional={"minItems": SMALL, "maxItems": SMALL, "uniqueItems": st.booleans()},
        ),
        st.fixed_dictionaries({"type": st.just("object"), "additionalProperties": inner}),
        st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
        st.lists(objects(LEAVES), min_size=1, max_size=2).map(lambda parts: {"allOf": parts}),
        tuples(inner),
        asserted(inner),
    ),
    max_leaves=5,
)
DEFINITIONS = {
    "list": {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
    "tree": {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
        "required": ["a"],
    },
    "bounded": {
        "type": "array",
        "items": {"$ref": "#/$defs/bounded", "maxItems": 2},
        "maxItems": 3,
    },
}


# Two parts of allOf that contradict each other are refused.
CONTRADICTION = "nothing is of type|no value is both"


def loads(model, text, *, strict):
    try:
        model.model_validate_json(text, strict=strict)
    except ValidationError:
        return False
    return True


@examples(60)
@given(schema=SCHEMAS, values=st.lists(VALUES, min_size=1, max_size=8))
def test_a_model_takes_what_its_schema_allows(schema, values):
    whole = {**objects_root(schema), "$defs": DEFINITIONS}
    allows = jsonschema_rs.Draft202012Validator(whole).is_valid
    try:
        model = schema_to_pydantic_model(whole)
    except UnsupportedKeywordError as error:
        if "allOf" not in str(schema) or not re.search(CONTRADICTION, str(error)):
            raise
        reject()
    for value in values:
        instance = {"a": value}
        text = json.dumps(instance)
        # null for an optional property is one of the stated exceptions, too.
        if allows(instance) or "null" not in text or all_required(schema):
            assert loads(model, text, strict=True) == allows(instance), text
        if allows(instance):
            assert loads(model, text, strict=False), text


@examples(60)
@given(schema=SCHEMAS, values=st.lists(VALUES, min_size=1, max_size=8))
def test_an_evaluation_agrees_with_another_implementation(schema, values):
    whole = {"$defs": DEFINITIONS, "allOf": [schema]}
    allows = jsonschema_rs.Draft202012Validator(whole).is_valid
    for value in values:
        assert Evaluation(whole).holds(whole, value) == allows(value), value


def all_required(schema):
    text = json.dumps(schema)
    return text.count('"properties"') == text.count('"required"')


def objects_root(schema):
    return {"type": "object", "properties": {"a": schema}, "required": ["a"]}


def test_one_point_nought_is_an_integer_unless_strict():
    model = schema_to_pydantic_model(objects_root({"type": "integer"}))
    assert model.model_validate_json('{"a": 1.0}').a == 1
    assert not loads(model, '{"a": 1.0}', strict=True)
    assert jsonschema_rs.is_valid({"type": "integer"}, 1.0)


def test_text_that_is_a_number_is_converted_unless_strict():
    model = schema_to_pydantic_model(objects_root({"type": "integer"}))
    assert model.model_validate_json('{"a": "3"}').a == 3
    assert not loads(model, '{"a": "3"}', strict=True)


def test_null_is_taken_for_an_optional_property_without_a_default():
    model = schema_to_pydantic_model({"type": "object", "properties": {"a": {"type": "string"}}})
    assert model.model_validate_json('{"a": null}', strict=True).a is None


def test_several_branches_of_one_of_may_match():
    schema = objects_root({"oneOf": [{"type": "integer"}, {"type": "number"}]})
    assert loads(schema_to_pydantic_model(schema), '{"a": 1}', strict=True)
    assert not jsonschema_rs.is_valid(schema, {"a": 1})


def test_a_format_is_checked_on_a_property_and_left_alone_elsewhere():
    date = {"type": "string", "format": "date"}
    assert not loads(schema_to_pydantic_model(objects_root(date)), '{"a": "x"}', strict=True)
    listed = schema_to_pydantic_model(objects_root({"type": "array", "items": date}))
    assert loads(listed, '{"a": ["x"]}', strict=True)


def test_ignored_keywords_have_no_effect():
    schema = {"type": "object", "properties": {"b": True}, "unevaluatedProperties": False}
    model = schema_to_pydantic_model(objects_root(schema))
    assert loads(model, '{"a": {"x": "y"}}', strict=True)


def test_alternatives_beside_the_properties_of_the_root_are_checked():
    schema = {**objects_root({"type": "string"}), "anyOf": [{"required": ["b"]}]}
    for kind in ("anyOf", "oneOf"):
        model = schema_to_pydantic_model({**objects_root(True), kind: [{"required": ["b"]}, False]})
        assert not loads(model, '{"a": 1}', strict=True)
        assert loads(model, '{"a": 1, "b": 1}', strict=True)
    inside = schema_to_pydantic_model(objects_root(schema))
    assert not loads(inside, '{"a": {"a": "x"}}', strict=True)
