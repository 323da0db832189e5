"""The schemas of functions are those that upstream writes."""

import enum
import gc
import weakref
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, Literal

import autogen_core.tools
import pytest
from pydantic import BaseModel

from ferrogen.exceptions import ToolSchemaError
from ferrogen.tools.function_signature import args_base_model_from_signature, get_typed_signature
from ferrogen.tools.schema import parameters_of


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Place:
    city: str


class Trip(BaseModel):
    stops: list[Place]
    colour: Colour


class Tree(BaseModel):
    branches: list["Tree"]


def plain(a: int, b: Annotated[str, "What b is."] = "x") -> str: ...
def nested(trip: Trip, other: Trip | None = None) -> None: ...
def choices(which: Literal["a", "b"], many: dict[str, list[float]]) -> None: ...
def nothing() -> None: ...
def with_token(a: int, cancellation_token: autogen_core.CancellationToken) -> None: ...
async def waiting(a: Annotated[int, "First.", "ignored"]) -> int: ...


def parameters(function, strict=False):
    model = args_base_model_from_signature("args", get_typed_signature(function))
    return parameters_of(model, strict)


@pytest.mark.parametrize(
    "function",
    [
        plain,
        nested,
        choices,
        nothing,
        with_token,
        waiting,
        partial(plain, 1),
        partial(plain, b="y"),
    ],
    ids=str,
)
def test_a_functions_parameters_are_described_as_upstream_does(function):
    upstream = autogen_core.tools.FunctionTool(function, "d", name="f").schema["parameters"]
    assert parameters(function) == upstream


def test_strict_mode_refuses_defaults_in_upstreams_words():
    with pytest.raises(ValueError, match="Strict mode is enabled") as upstream:
        _ = autogen_core.tools.FunctionTool(plain, "d", strict=True).schema
    with pytest.raises(ToolSchemaError) as ours:
        parameters(plain, strict=True)
    assert str(ours.value) == str(upstream.value)


def test_an_argument_that_contains_itself_is_refused_by_name():
    def climb(tree: Tree) -> None: ...

    with pytest.raises(ToolSchemaError, match="contain Tree, which contains itself"):
        parameters(climb)


def test_a_parameter_without_annotation_is_refused_by_name():
    def careless(a) -> None: ...

    with pytest.raises(ToolSchemaError, match=r"parameter 'a' of .*careless has no annotation"):
        parameters(careless)


def test_a_description_is_the_callers_own():
    model = args_base_model_from_signature("args", get_typed_signature(plain))
    first = parameters_of(model, strict=False)
    first["properties"].clear()
    first["required"].append("x")
    assert parameters_of(model, strict=False) == parameters(plain)


def test_a_model_that_is_built_anew_is_described_anew():
    class Order(BaseModel):
        pieces: int

    assert parameters_of(Order, strict=False)["properties"]["pieces"]["type"] == "integer"
    Order.__annotations__["pieces"] = str
    Order.model_fields["pieces"].annotation = str
    Order.model_rebuild(force=True)
    assert parameters_of(Order, strict=False)["properties"]["pieces"]["type"] == "string"


def test_a_custom_json_schema_of_a_model_is_read_each_time():
    class Order(BaseModel):
        pieces: int
        asked: ClassVar[int] = 0

        @classmethod
        def model_json_schema(cls, *args, **kwargs):
            cls.asked += 1
            return {"properties": {"asked": cls.asked}}

    assert [parameters_of(Order, strict=False)["properties"]["asked"] for _ in "ab"] == [1, 2]


def test_the_description_goes_with_the_model():
    model = args_base_model_from_signature("args", get_typed_signature(plain))
    parameters_of(model, strict=False)
    known = weakref.ref(model)
    del model
    gc.collect()
    assert known() is None


def test_a_model_is_not_described_as_the_one_it_extends():
    class Order(BaseModel):
        pieces: int

    class Large(Order):
        pallets: int

    assert list(parameters_of(Order, strict=False)["properties"]) == ["pieces"]
    assert list(parameters_of(Large, strict=False)["properties"]) == ["pieces", "pallets"]
