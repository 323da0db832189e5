"""Wrong arguments: the tool is not run, and the error has the path of each fault."""

import pytest
from pydantic import BaseModel, PositiveFloat, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from ferrogen.tools import FunctionTool, StaticWorkbench, ToolArgumentsError


class Item(BaseModel):
    price: PositiveFloat


class Named(BaseModel):
    name: str

    @field_validator("name")
    @classmethod
    def check(cls, name: str) -> str:
        raise PydanticCustomError("no_name", "{name} is taken", {"name": name})


class Order(BaseModel):
    items: list[Item]
    notes: dict[str, int] = {}
    other: Item | Named | None = None


@pytest.fixture
def place_order():
    calls = []

    def place(order: Order, size: int | str = 1) -> None:
        """Place an order."""
        calls.append(order)

    yield FunctionTool(place)
    assert calls == []


async def text_of(tool, arguments):
    with pytest.raises(ToolArgumentsError) as caught:
        await tool.run_json(arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"order": {"items": [{"price": 1}, {"price": 2}, {"price": -3}]}},
            "order.items[2].price: Input should be greater than 0",
        ),
        ({}, "order: Field required"),
        ({"order": {"items": [{}]}}, "order.items[0].price: Field required"),
        (
            {"order": {"items": [], "notes": {"a b": "x"}}},
            "order.notes['a b']: Input should be a valid integer, unable to parse string as an"
            " integer",
        ),
        (
            {"order": {"items": []}, "size": []},
            "size: Input should be a valid integer\nsize: Input should be a valid string",
        ),
        (
            {"order": {"items": [], "other": {"name": "{x}"}}},
            "order.other.price: Field required\norder.other.name: {x} is taken",
        ),
        ([], "Input should be a valid dictionary or instance of placeargs"),
    ],
    ids=["nested", "missing", "missing inside", "key", "union", "custom", "not an object"],
)
async def test_an_error_has_the_path_of_each_fault(place_order, arguments, text):
    assert await text_of(place_order, arguments) == text


async def test_the_error_is_pydantics_with_its_details(place_order):
    with pytest.raises(ValidationError) as caught:
        await place_order.run_json({"order": {"items": [{"price": -1}]}})
    (fault,) = caught.value.errors()
    assert (fault["type"], fault["loc"]) == ("greater_than", ("order", "items", 0, "price"))


async def test_a_model_gets_the_path(place_order):
    result = await StaticWorkbench([place_order]).call_tool("place", {"order": {"items": 1}})
    assert result.is_error
    assert result.to_text() == "order.items: Input should be a valid list"
