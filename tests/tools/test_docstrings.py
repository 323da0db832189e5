"""Tools that are described by the docstrings of their functions."""

from functools import partial
from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from ferrogen.exceptions import ToolSchemaError
from ferrogen.tools import FunctionTool, KillableFunctionTool, tool
from ferrogen.tools.descriptions import read_docstring

GOOGLE = """Add two numbers.

    Both have to be: small.

    Args:
        a: The first
            of them.
        b (int, optional): The second: after the first.
        **more: All others.
        empty:

    Returns:
        c: The sum.
    """
NUMPY = """Add two numbers.

    Both have to be: small.

    Parameters
    ----------
    a : int
        The first
        of them.
    b
        The second: after the first.
    **more
        All others.

    Returns
    -------
    c : int
        The sum.
    """
SPHINX = """Add two numbers.

    Both have to be: small.

    :param a: The first
        of them.
    :type a: int
    :param int b: The second: after the first.
    :param more: All others.
    :returns: The sum.
    """
READ = {"a": "The first of them.", "b": "The second: after the first.", "more": "All others."}


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, SPHINX])
def test_docstrings_are_read_in_three_styles(docstring):
    assert read_docstring(docstring) == ("Add two numbers.\n\nBoth have to be: small.", READ)


@pytest.mark.parametrize(
    ("docstring", "text"),
    [
        ("", ""),
        ("One line.", "One line."),
        ("Args: are described elsewhere.", "Args: are described elsewhere."),
        ("Add.\n\n    Example:\n        ```\n        x: 1\n        ```", "Add."),
        ("Add.\n\n    args:\n        x: not a name of a parameter", "Add."),
        ("A list:\n\n    - one\n    - two", "A list:\n\n- one\n- two"),
    ],
)
def test_text_ends_at_the_first_section(docstring, text):
    assert read_docstring(docstring)[0] == text


class Place(BaseModel):
    """A place on Earth."""

    city: str


def order(  # noqa: D417 - a parameter is not described
    place: Place,
    pieces: int,
    note: Annotated[str, "Own text."] = "",
    size: int = Field(1, description="Own field."),
    plain: int = 0,
) -> None:
    """Order something.

    Args:
        place: Where it goes.
        pieces: How many.
        note: Not this text.
        size: Nor this one.
    """


def test_a_docstring_describes_a_tool_and_its_parameters():
    made = FunctionTool(order)
    assert made.description == "Order something."
    properties = made.schema["parameters"]["properties"]
    assert {name: facts["description"] for name, facts in properties.items()} == {
        "place": "Where it goes.",
        "pieces": "How many.",
        "note": "Own text.",
        "size": "Own field.",
        "plain": "plain",
    }


def test_with_a_description_the_docstring_is_not_read():
    made = FunctionTool(order, "Orders.")
    assert made.description == "Orders."
    assert made.schema["parameters"]["properties"]["pieces"]["description"] == "pieces"


class Adder:
    """Adds one."""

    def __call__(self, n: int) -> int:
        return n + 1

    def add(self, n: int) -> int:
        """Add one to a number."""
        return n + 1


@pytest.mark.parametrize(
    ("function", "description"),
    [
        (partial(order, plain=1), "Order something."),
        (Adder(), "Adds one."),
        (Adder().add, "Add one to a number."),
        (Place, "A place on Earth."),
    ],
)
def test_every_callable_has_its_own_docstring(function, description):
    assert FunctionTool(function).description == description


def undescribed(n: int) -> int:
    return n


@pytest.mark.parametrize("kind", [FunctionTool, KillableFunctionTool, tool])
def test_a_tool_without_description_is_refused(kind):
    with pytest.raises(ToolSchemaError, match="'undescribed' has no docstring"):
        kind(undescribed)


async def test_the_decorator_makes_a_tool():
    @tool
    async def double(n: int) -> int:
        """Double a number."""
        return 2 * n

    assert type(double) is FunctionTool
    assert (double.name, double.description) == ("double", "Double a number.")
    assert await double.run_json({"n": 2}) == 4


async def test_the_decorator_takes_the_arguments_of_the_tool():
    @tool(name="twice", description="Doubles.", strict=True)
    def double(n: int) -> int:
        return 2 * n

    assert (double.name, double.description) == ("twice", "Doubles.")
    assert double.schema["strict"] is True


def test_the_decorator_is_not_in_the_config():
    @tool(global_imports=["math"])
    def root(n: float) -> float:
        """Compute a square root."""
        return math.sqrt(n)  # noqa: F821 - the config imports it

    config = root.dump_component().config
    assert config["source_code"].startswith("def root(n: float)")
    assert config["global_imports"] == ["math"]
