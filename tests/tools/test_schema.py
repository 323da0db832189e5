"""The schemas of functions are those that upstream writes."""

import enum
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

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
    colour: Colour = Colour.RED


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
