"""schema_to_pydantic_model: fields, types, defaults and verdicts are upstream's."""

from typing import Optional

import autogen_core.utils
import pytest
from pydantic import BaseModel, Field, ValidationError

import ferrogen.utils


class Address(BaseModel):
    street: str
    number: int = Field(1, ge=1, description="counted from one")


class Person(BaseModel):
    name: str = Field(min_length=1)
    manager: Optional["Person"] = None
    homes: list[Address] = []
    weight: float | None = None


def required(**properties):
    return {"type": "object", "properties": properties, "required": list(properties)}


STRING = {"type": "string"}
TREE = {**required(name=STRING), "title": "Tree"}
TREE["properties"]["children"] = {"type": "array", "items": {"$ref": "#/$defs/Tree"}}
CAT = required(kind={"enum": ["cat"]}, lives={"type": "integer"})
DOG = required(kind={"enum": ["dog"]}, name=STRING)
SCHEMAS = {
    "nested models": Person.model_json_schema(),
    "recursion": {**TREE, "$defs": {"Tree": TREE}},
    "limits": required(
        s={"type": "string", "maxLength": 3, "pattern": "^a"},
        i={"type": "integer", "exclusiveMinimum": 0, "maximum": 9},
        n={"type": "number", "minimum": 0.5},
        l={"type": "array", "items": STRING, "maxItems": 2},
    ),
    "defaults": {
        "type": "object",
        "properties": {"x": {"type": "integer", "default": 3, "title": "The x"}, "y": STRING},
    },
    "enum": required(color={"enum": ["red", 3, None]}),
    "union": required(v={"anyOf": [{"type": "integer"}, STRING, {"type": "null"}]}),
    "discriminator": {
        **required(
            pet={
                "oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}],
                "discriminator": {"propertyName": "kind"},
            }
        ),
        "$defs": {"Cat": CAT, "Dog": DOG},
    },
    "all of": {"allOf": [{"$ref": "#/$defs/Dog"}, required(age={"type": "integer"})]}
    | {"$defs": {"Dog": DOG}},
    "free object": required(data={"type": "object"}),
    "formats": required(
        u={"type": "string", "format": "uuid4"}, d={"type": "string", "format": "date-time"}
    ),
    "format beside enum": required(color={"enum": ["red"], "type": "string", "format": "date"}),
    "nothing": {"type": "object"},
}
INSTANCES = [
    {},
    {"name": "a", "homes": [{"street": "s"}]},
    {"name": "", "homes": []},
    {"name": "a", "manager": {"name": "b"}, "weight": "3.5"},
    {"name": "a", "children": [{"name": "b", "children": []}]},
    {"name": "a", "children": [{"children": []}]},
    {"s": "abc", "i": 9, "n": 1, "l": ["x"]},
    {"s": "abcd", "i": 0, "n": 0.1, "l": ["x", "y", "z"]},
    {"x": "7"},
    {"x": None, "y": None},
    *({"color": color} for color in ("red", 3, None, "3", 4)),
    *({"v": value} for value in (1, "1", None, 1.5, [])),
    *({"pet": pet} for pet in ({"kind": "cat", "lives": 9}, {"kind": "dog", "lives": 9})),
    {"kind": "dog", "name": "r", "age": 3},
    {"data": {"k": [1]}},
    {"data": []},
    {"u": "6f1e1c54-2f0c-4b0e-9d0a-0b5f3f3c2d11", "d": "2024-01-02T03:04:05Z"},
    {"u": "6f1e1c54", "d": "yesterday"},
]


def verdict(model, instance):
    try:
        return model.model_validate(instance).model_dump()
    except ValidationError as error:
        return [(fault["loc"], fault["type"]) for fault in error.errors()]


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS.keys())
def test_fields_types_defaults_and_verdicts_are_the_same(schema):
    upstream = autogen_core.utils.schema_to_pydantic_model(schema, "Made")
    ours = ferrogen.utils.schema_to_pydantic_model(schema, "Made")
    assert ours.__name__ == upstream.__name__
    assert {name: field.default for name, field in ours.model_fields.items()} == {
        name: field.default for name, field in upstream.model_fields.items()
    }
    assert ours.model_json_schema() == upstream.model_json_schema()
    for instance in INSTANCES:
        assert verdict(ours, instance) == verdict(upstream, instance), instance
