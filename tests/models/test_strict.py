"""Schemas become what strict modes accept, or an error that names the field."""

from __future__ import annotations

import datetime
import enum
import json
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal

import jsonschema_rs
import pytest
from pydantic import AnyUrl, BaseModel, ConfigDict, Field, RootModel

from ferrogen.exceptions import ModelRequestError, ToolSchemaError
from ferrogen.models.providers._strict import strict_output, strict_parameters
from ferrogen.models.providers._strict_modes import ANTHROPIC, OPENAI, StrictMode

# What OpenAI documents of its strict mode; anything else is an error of status 400.
ACCEPTED = {
    *("type", "description", "enum", "const", "anyOf", "$ref", "$defs", "properties", "required"),
    *("additionalProperties", "items", "minItems", "maxItems", "pattern", "format", "minimum"),
    *("maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
MODES = pytest.mark.parametrize("mode", [OPENAI, ANTHROPIC], ids=["openai", "anthropic"])


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(9, ge=1, le=9)


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str = Field(
        min_length=1, description="How it is called.", json_schema_extra={"pattern": "^(?!x)"}
    )


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Color(enum.Enum):
    RED = "red"
    BLUE = 2


class Household(BaseModel):
    """A house with its pets."""

    model_config = ConfigDict(extra="forbid")

    pet: Pet = Field(description="The first one.")
    others: list[Pet] = []
    place: tuple[float, float]
    mixed: tuple[int, str]
    numbers: tuple[int, ...]
    colors: set[Color]
    maybe: Cat | None = None
    cat: Cat = Field(description="Another one.")
    price: Decimal
    key: uuid.UUID
    when: datetime.datetime
    url: AnyUrl


VALUE = {
    "pet": {"kind": "dog", "name": "Rex"},
    "others": [{"kind": "cat", "lives": 3}],
    "place": [1.0, 2.0],
    "mixed": [1, "a"],
    "numbers": [1, 2],
    "colors": ["red"],
    "maybe": None,
    "cat": {"kind": "cat", "lives": 1},
    "price": "1.5",
    "key": str(uuid.UUID(int=1)),
    "when": "2026-01-01T00:00:00Z",
    "url": "http://example.com/",
}


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """All schemas in a schema."""
    yield schema
    for name in ("properties", "$defs"):
        for inner in schema.get(name, {}).values():
            yield from parts(inner)
    for inner in [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]:
        yield from parts(inner)


def checked(schema: dict[str, Any], mode: StrictMode) -> dict[str, Any]:
    """Check what the documentation of the strict modes demands."""
    for part in parts(schema):
        assert part.keys() <= ACCEPTED
        assert part.keys() & {"type", "enum", "const", "anyOf", "$ref"}
        if part.get("type") == "object":
            assert part["required"] == list(part["properties"])
            assert part["additionalProperties"] is False
        if "$ref" in part:
            assert list(part) == ["$ref"]
        assert part.get("format", "date") in mode.formats
        if mode is ANTHROPIC:
            assert part.keys().isdisjoint({"minimum", "maximum", "pattern", "maxItems"})
    assert schema["type"] == "object"
    jsonschema_rs.validator_for(schema)
    return schema


@MODES
def test_a_class_is_accepted_and_still_describes_its_values(mode: StrictMode) -> None:
    schema, wrapper = strict_output(Household.model_json_schema(), "Household", mode)
    judge = jsonschema_rs.validator_for(checked(schema, mode))
    assert wrapper is None
    assert judge.is_valid(VALUE)
    Household.model_validate(VALUE)
    assert not judge.is_valid({**VALUE, "pet": {"kind": "bird", "name": "Tweety"}})
    assert not judge.is_valid({**VALUE, "mixed": [1.5, "a"]})
    assert not judge.is_valid({**VALUE, "colors": ["green"]})
    assert not judge.is_valid({name: value for name, value in VALUE.items() if name != "maybe"})


def test_limits_without_a_form_are_described() -> None:
    schema, _ = strict_output(Household.model_json_schema(), "Household")
    name = schema["$defs"]["Dog"]["properties"]["name"]
    assert name == {
        "type": "string",
        "description": "How it is called. (minLength: 1; pattern: ^(?!x))",
    }
    mixed = schema["properties"]["mixed"]
    assert mixed["items"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert "in this order: integer, string" in mixed["description"]
    assert schema["properties"]["cat"]["description"] == "Another one."
    lives, _ = strict_output(Cat.model_json_schema(), "Cat", ANTHROPIC)
    assert lives["properties"]["lives"]["description"] == "(minimum: 1; maximum: 9)"


class Node(BaseModel):
    value: int
    children: list[Node] = []


class Nodes(RootModel[list[Node]]):
    pass


class Pets(RootModel[Pet]):
    pass


class Steps(RootModel[list[str]]):
    pass


def test_a_recursive_class_is_accepted() -> None:
    schema, wrapper = strict_output(Node.model_json_schema(), "Node")
    judge = jsonschema_rs.validator_for(checked(schema, OPENAI))
    assert wrapper is None
    assert judge.is_valid({"value": 1, "children": [{"value": 2, "children": []}]})
    assert not judge.is_valid({"value": 1, "children": [{"value": "a", "children": []}]})


def test_a_recursive_class_for_a_service_that_takes_none_is_an_error() -> None:
    with pytest.raises(ModelRequestError, match=r"field 'children.*of Node contains itself"):
        strict_output(Node.model_json_schema(), "Node", ANTHROPIC)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Nodes, [{"value": 1, "children": []}]),
        (Pets, {"kind": "cat", "lives": 1}),
        (Steps, ["a", "b"]),
    ],
)
def test_a_root_that_is_not_an_object_is_put_into_one(kind: type[BaseModel], value: Any) -> None:
    schema, wrapper = strict_output(kind.model_json_schema(), kind.__name__)
    assert wrapper is not None
    judge = jsonschema_rs.validator_for(checked(schema, OPENAI))
    assert judge.is_valid({wrapper: value})
    assert not judge.is_valid(value)


class WithDict(BaseModel):
    scores: dict[str, int]


class Team(BaseModel):
    players: list[WithDict]


class WithAny(BaseModel):
    anything: Any


class WithPlainList(BaseModel):
    things: list  # type: ignore[type-arg]


class WithPlainDict(BaseModel):
    things: dict  # type: ignore[type-arg]


class WithTypedExtra(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int]


class WithNot(BaseModel):
    word: Annotated[str, Field(json_schema_extra={"not": {"const": "x"}})]


@MODES
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (WithDict, "field 'scores' of WithDict is a dict with free keys"),
        (Team, "field 'scores' of WithDict in Team is a dict with free keys"),
        (WithAny, "field 'anything' of WithAny accepts any value"),
        (WithPlainList, r"field 'things\[\]' of WithPlainList accepts any value"),
        (WithPlainDict, "field 'things' of WithPlainDict is a dict with free keys"),
        (WithTypedExtra, "WithTypedExtra is a dict with free keys"),
        (WithNot, "field 'word' of WithNot has the keyword 'not'"),
    ],
)
def test_what_has_no_form_is_an_error_that_names_the_field(
    kind: type[BaseModel], words: str, mode: StrictMode
) -> None:
    with pytest.raises(ModelRequestError, match=words):
        strict_output(kind.model_json_schema(), kind.__name__, mode)


def test_a_parameter_of_a_tool_is_named_with_the_tool() -> None:
    with pytest.raises(ToolSchemaError, match="parameter 'scores' of tool 'rate' is a dict"):
        strict_parameters(WithDict.model_json_schema(), "rate")


def test_parameters_that_are_accepted_are_left_as_they_are() -> None:
    parameters = {
        "type": "object",
        "properties": {"title": {"type": "string", "title": "Title", "description": "d"}},
        "required": ["title"],
        "additionalProperties": False,
    }
    assert strict_parameters(parameters, "write") == parameters


def test_the_parts_of_all_of_are_merged() -> None:
    schema = {
        "type": "object",
        "properties": {
            "both": {"allOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}]},
            "one": {"allOf": [{"$ref": "#/$defs/A"}], "description": "d"},
        },
        "$defs": {
            name: {"type": "object", "properties": {name: {"type": "integer"}}} for name in "AB"
        },
    }
    narrow, _ = strict_output(schema, "x")
    assert list(checked(narrow, OPENAI)["properties"]["both"]["properties"]) == ["A", "B"]
    assert narrow["properties"]["one"]["description"] == "d"


def test_a_schema_is_not_modified() -> None:
    schema = Household.model_json_schema()
    before = json.dumps(schema)
    strict_output(schema, "Household")
    assert json.dumps(schema) == before
