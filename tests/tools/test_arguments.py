"""Arguments of functions: fields of pydantic, names, defaults, keywords, and local types."""

# ruff: noqa: B006, B008 - defaults of a signature are what is tested

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Len
from pydantic import AfterValidator, BaseModel, Field, StringConstraints, ValidationError, conint
from typing_extensions import Doc, NotRequired, Required, TypeAliasType, TypedDict, Unpack

from ferrogen import CancellationToken
from ferrogen.exceptions import ToolSchemaError
from ferrogen.tools import FunctionTool

from . import deferred_types

NOT_GIVEN = object()


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


class Place(BaseModel):
    """A place on Earth."""

    city: str = Field(description="Its name.")


class Options(TypedDict, total=False):
    limit: Required[Annotated[int, "How many."]]
    schema: Annotated[str, Field(max_length=3)]


class Route(TypedDict):
    start: str
    end: NotRequired[str]


@dataclass
class Order:
    pieces: int
    notes: list[str] = field(default_factory=list)


def parameters(function) -> dict[str, Any]:
    return FunctionTool(function, "d").schema["parameters"]


def described(function) -> dict[str, Any]:
    return parameters(function)["properties"]


async def call(function, /, **arguments) -> Any:
    return await FunctionTool(function, "d").run_json(arguments, CancellationToken())


# ---- pydantic's Field


def with_default(n: int = Field(7, lt=50, description="N.")) -> int:
    return n


def in_annotated(n: Annotated[int, Field(lt=50, description="N.")] = 7) -> int:
    return n


def text_and_field(n: Annotated[int, "N.", Field(lt=50)] = 7) -> int:
    return n


def field_and_text(n: Annotated[int, Field(7, lt=50), "N."]) -> int:
    return n


def text_and_default(n: Annotated[int, "N."] = Field(7, lt=50)) -> int:
    return n


@pytest.mark.parametrize(
    "function", [with_default, in_annotated, text_and_field, field_and_text, text_and_default]
)
async def test_a_field_gives_default_limit_and_description(function):
    assert parameters(function) == {
        "type": "object",
        "properties": {
            "n": {
                "type": "integer",
                "default": 7,
                "exclusiveMaximum": 50,
                "description": "N.",
                "title": "N",
            }
        },
        "required": [],
        "additionalProperties": False,
    }
    assert await call(function) == 7
    with pytest.raises(ValidationError, match="less than 50"):
        await call(function, n=99)


async def test_a_field_without_default_is_required():
    def take(a: int = Field(ge=1), b: str = Field(...)) -> None: ...

    assert parameters(take)["required"] == ["a", "b"]
    with pytest.raises(ValidationError, match="Field required"):
        await call(take)


async def test_a_default_factory_makes_a_value_for_each_call():
    def take(notes: list[str] = Field(default_factory=list)) -> list[str]:
        notes.append("x")
        return notes

    tool = FunctionTool(take, "d")
    assert [await tool.run_json({}, CancellationToken()) for _ in "ab"] == [["x"], ["x"]]
    assert "default" not in described(take)["notes"]
    assert parameters(take)["required"] == []


async def test_an_alias_is_the_name_for_the_model():
    def take(number: int = Field(alias="count"), _hidden: int = Field(2, alias="shown")) -> Any:
        return number, _hidden

    assert list(described(take)) == ["count", "shown"]
    assert await call(take, count=1, shown=3) == (1, 3)
    with pytest.raises(ValidationError, match="count"):
        await call(take, number=1)


async def test_validators_of_an_annotation_run():
    def take(
        name: Annotated[str, AfterValidator(str.upper)],
        word: Annotated[str, StringConstraints(strip_whitespace=True)],
        code: Annotated[str, Len(2, 2), "A code."],
        number: conint(gt=3) = 4,
    ) -> Any:
        return name, word, code, number

    assert await call(take, name="a", word=" b ", code="cd") == ("A", "b", "cd", 4)
    assert described(take)["code"]["description"] == "A code."
    with pytest.raises(ValidationError, match="at least 2"):
        await call(take, name="a", word="b", code="c")


# ---- descriptions


ALIAS = TypeAliasType("ALIAS", Annotated[int, "Of an alias."])


def everywhere(
    optional: Annotated[int, "Optional."] | None = None,
    limited: Annotated[int, Field(ge=3, description="Limited.")] | None = None,
    nested: Annotated[Annotated[int, "Nested."], Field(ge=1)] = 1,
    documented: Annotated[int, Doc("Documented.")] = 1,
    several: Annotated[int, "First."] | Annotated[str, "Second."] = 1,
    alias: ALIAS = 1,
    plain: int = 1,
    items: list[Annotated[str, "An item."]] = [],
    values: dict[str, Annotated[int, "A value.", Field(gt=0)]] = {},
    pair: tuple[Annotated[int, "The first."], list[Annotated[str, "An inner item."]]] | None = None,
) -> None: ...


def test_texts_become_descriptions_where_they_stand():
    properties = described(everywhere)
    assert {name: facts["description"] for name, facts in properties.items()} == {
        "optional": "Optional.",
        "limited": "Limited.",
        "nested": "Nested.",
        "documented": "Documented.",
        "several": "several",
        "alias": "Of an alias.",
        "plain": "plain",
        "items": "items",
        "values": "values",
        "pair": "pair",
    }
    assert [choice["description"] for choice in properties["several"]["anyOf"]] == [
        "First.",
        "Second.",
    ]
    assert properties["items"]["items"] == {"type": "string", "description": "An item."}
    assert properties["values"]["additionalProperties"]["description"] == "A value."
    first, rest = properties["pair"]["anyOf"][0]["prefixItems"]
    assert first["description"] == "The first."
    assert rest["items"]["description"] == "An inner item."


def test_enums_and_models_have_descriptions_and_defaults():
    def order(
        size: Annotated[Size, "Of the shirt."] = Size.SMALL,
        to: Annotated[Place, Field(description="Who gets it.")] = Place(city="Turin"),
        other: Place = Field(description="Another place."),
        some: Place | None = None,
        home: Place = Place(city="Rome"),
    ) -> None: ...

    properties = described(order)
    assert (properties["size"]["description"], properties["size"]["default"]) == (
        "Of the shirt.",
        "s",
    )
    assert properties["to"]["description"] == "Who gets it."
    assert properties["to"]["default"] == {"city": "Turin"}
    assert properties["other"]["description"] == "Another place."
    # The class says more than the name of the parameter.
    assert properties["home"]["description"] == "A place on Earth."
    assert properties["home"]["properties"]["city"]["description"] == "Its name."


# ---- names


NAMES = (
    *("_x", "__y", "_", "self", "cls", "copy", "json", "dict", "schema", "validate", "construct"),
    *("model_config", "model_fields", "model_dump", "model_name", "field_x", "parse_obj"),
)


@pytest.mark.parametrize("kind", ["by name", "by position"])
async def test_a_parameter_may_have_any_name(kind):
    slash = ", /" if kind == "by position" else ""
    namespace: dict[str, Any] = {}
    listed = ", ".join(f"{name}: int" for name in NAMES)
    exec(f"def take({listed}{slash}) -> list: return [{', '.join(NAMES)}]", namespace)
    assert list(described(namespace["take"])) == list(NAMES)
    values = {name: number for number, name in enumerate(NAMES)}
    tool = FunctionTool(namespace["take"], "d")
    assert await tool.run_json(values, CancellationToken()) == list(values.values())


# ---- keywords


async def test_keywords_of_one_type_are_additional_properties():
    def take(a: int, **others: int) -> Any:
        return a, others

    assert parameters(take)["additionalProperties"] == {"type": "integer"}
    assert parameters(take)["required"] == ["a"]
    assert await call(take, a=1, b="2") == (1, {"b": 2})
    with pytest.raises(ValidationError, match="valid integer"):
        await call(take, a=1, b="x")


async def test_keywords_of_any_type_are_taken_as_they_are():
    def take(**others: Any) -> Any:
        return others

    assert parameters(take)["additionalProperties"] is True
    assert await call(take, a=[1]) == {"a": [1]}


async def test_keywords_do_not_replace_the_token():
    def take(cancellation_token: CancellationToken, **others: Any) -> Any:
        return type(cancellation_token), others

    assert await call(take, cancellation_token=1) == (CancellationToken, {})


async def test_keywords_of_a_typed_dict_are_parameters():
    def take(a: int, **options: Unpack[Options]) -> Any:
        return a, options

    schema = parameters(take)
    assert list(schema["properties"]) == ["a", "limit", "schema"]
    assert schema["properties"]["limit"]["description"] == "How many."
    assert (schema["required"], schema["additionalProperties"]) == (["a", "limit"], False)
    assert await call(take, a=1, limit=2) == (1, {"limit": 2})
    assert await call(take, a=1, limit=2, schema="s") == (1, {"limit": 2, "schema": "s"})
    with pytest.raises(ValidationError, match="at most 3"):
        await call(take, a=1, limit=2, schema="long")


async def test_keywords_that_are_not_required_are_left_out():
    def take(**route: Unpack[Route]) -> Any:
        return route

    assert parameters(take)["required"] == ["start"]
    assert await call(take, start="a") == {"start": "a"}


def test_strict_mode_refuses_keywords():
    def take(**others: int) -> None: ...

    with pytest.raises(ToolSchemaError, match="additional argument is also enabled"):
        _ = FunctionTool(take, "d", strict=True).schema


# ---- defaults that have no JSON


async def test_a_default_without_json_is_left_to_the_function():
    def take(a: int = NOT_GIVEN) -> bool:
        return a is NOT_GIVEN

    assert described(take) == {"a": {"type": "integer", "title": "A", "description": "a"}}
    assert parameters(take)["required"] == []
    assert await call(take) is True
    assert await call(take, a=1) is False


async def test_a_dataclass_makes_its_own_defaults():
    assert await call(Order, pieces=1) == Order(1, [])
    assert await call(Order, pieces=1, notes=["x"]) == Order(1, ["x"])


# ---- types


class Unknown:
    pass


def unknown(a: int, b: Unknown) -> None: ...
def not_json(a: int, b: Callable[[int], int]) -> None: ...
def ambiguous(a: Annotated[Literal["a"] | Literal["b"], Field(discriminator="kind")]) -> None: ...


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (unknown, "parameter 'b' cannot be described to a model: .*Unknown"),
        (not_json, "argument 'b' has no JSON Schema"),
        (ambiguous, "parameter 'a' cannot be described to a model"),
    ],
)
def test_a_type_that_cannot_be_described_is_refused_by_name(function, words):
    with pytest.raises(ToolSchemaError, match=words):
        parameters(function)


async def test_annotations_that_are_strings_are_resolved():
    assert await call(deferred_types.of_the_module, basket={"coins": 3}) == 3
    assert await call(deferred_types.in_the_closure(), purse={"coins": 3}) == 4
    tool = deferred_types.tool_beside_the_type()
    assert await tool.run_json({"purse": {"coins": 3}}, CancellationToken()) == 3


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (deferred_types.while_type_checking, "'Unseen' of the parameter 'unseen' of while_type_"),
        (deferred_types.result_while_type_checking, "of the return value of result_while_type_"),
    ],
)
def test_an_annotation_that_cannot_be_resolved_is_refused_by_name(function, words):
    with pytest.raises(ToolSchemaError, match=words) as refused:
        FunctionTool(function, "d")
    assert isinstance(refused.value, NameError)  # as upstream raises


async def test_the_annotation_of_the_token_is_not_needed():
    assert await call(deferred_types.with_an_unseen_token, n=1) is False

    def without(cancellation_token) -> str:
        return type(cancellation_token).__name__

    assert await call(without) == "CancellationToken"
