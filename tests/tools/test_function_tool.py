"""Functions as tools: what can be one, and what their configs hold."""

from dataclasses import dataclass
from functools import partial

import pytest

from ferrogen import CancellationToken
from ferrogen.exceptions import ToolSchemaError
from ferrogen.tools import FunctionTool, Tool, allow_source_text


class Adder:
    def __init__(self, base: int):
        self.base = base

    def __call__(self, n: int) -> int:
        return self.base + n

    def add(self, n: int) -> int:
        return self.base + n

    async def add_later(self, n: int, cancellation_token: CancellationToken) -> int:
        assert not cancellation_token.is_cancelled()
        return self.base + n

    @staticmethod
    async def double(n: int) -> int:
        return 2 * n


@dataclass
class Place:
    """The class makes an object, which can be called and awaited."""

    n: int

    async def __call__(self) -> int:
        return self.n


def subtract(n: int, by: int = 1) -> int:
    return n - by


@pytest.mark.parametrize(
    ("function", "name", "result"),
    [
        (Adder(10), "Adder", 15),
        (Adder(10).add, "add", 15),
        (Adder(10).add_later, "add_later", 15),
        (Adder.double, "double", 10),
        (subtract, "subtract", 4),
        (partial(subtract, by=2), "subtract", 3),
        (partial(Adder(1).add), "add", 6),
        (partial(Adder(1)), "Adder", 6),
        (partial(Adder.double), "double", 10),
        (Place, "Place", Place(5)),
    ],
)
async def test_whatever_can_be_called_is_a_tool(function, name, result):
    tool = FunctionTool(function, "computes")
    assert isinstance(tool, Tool)
    assert tool.name == name
    assert "n" in tool.schema["parameters"]["properties"]
    assert await tool.run_json({"n": 5}, CancellationToken()) == result


def test_an_annotation_that_describes_by_something_else_than_text_is_refused():
    from typing import Annotated

    def wrong(n: Annotated[int, 5]) -> None: ...

    with pytest.raises(ToolSchemaError, match="Invalid description 5 for parameter n"):
        FunctionTool(wrong, "d")


async def test_a_subclass_is_loaded_as_itself():
    class Logged(FunctionTool):
        pass

    with allow_source_text():
        tool = Logged._from_config(FunctionTool(subtract, "d")._to_config())
    assert type(tool) is Logged
    assert await tool.run_json({"n": 1}, CancellationToken()) == 0


def test_a_config_says_strict_only_when_it_is():
    assert "strict" not in FunctionTool(subtract, "d").dump_component().config
    assert FunctionTool(subtract, "d", strict=True).dump_component().config["strict"] is True
