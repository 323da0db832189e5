"""The dump of a function that needs more than itself names what is missing."""

import functools
import json
import math
from typing import Annotated, Any, Literal

import pytest

from ferrogen.code_executor import Alias, ImportFromModule, with_requirements
from ferrogen.exceptions import FunctionDumpError
from ferrogen.tools import FunctionTool, allow_source_text
from ferrogen.tools.source_text import source_of

LIMIT = 3
print = json.dumps  # noqa: A001 - a built-in name that means something else here


def helper(n: int) -> int:
    return n + LIMIT


class Text(str):
    pass


def needs_a_helper(n: int) -> int:
    return helper(n) + math.floor(0.5)


def needs_a_default(n: int = LIMIT) -> int:
    return n


def needs_an_annotation(n: "int") -> Text:
    return n


def needs_it_inside(n: int) -> list:
    def inner() -> int:
        return [LIMIT + m for m in range(n)]

    return inner()


def needs_a_new_print(n: int) -> str:
    return print(n)


def needs_a_base() -> str:
    class Local(Text):
        kind = Text("a")
        other = kind

    return Local.other


@functools.cache
@functools.lru_cache
def needs_a_decorator(n: int) -> int:
    return n


def doubled(function):
    @functools.wraps(function)
    def call(n: int) -> int:
        return 2 * function(n)

    return call


@doubled
def needs_its_wrapper(n: int) -> int:
    return n


class Result(int):
    pass


def needs_quoted_types(n: "list[Text] | None", m: list["Result"]) -> "Result":
    return n


def quotes_no_types(
    n: Annotated["int", "The Number."], m: Literal["Text"] = "Text", k: "Literal['Text']" = "Text"
) -> "int":
    return n


async def needs_nothing(n: int = 1, *, word: str = "a") -> Any:
    total: Unknown = 0  # noqa: F821 - the annotation of a local variable is not evaluated

    class Count:
        start = 1
        first = start

        def up(self) -> int:
            return self.start

    def again(m: int) -> int:
        return again(m - 1) if m else len(str(m))

    try:
        total += sum(m * n for m in range(3)) + Count().up()
    except ValueError as error:
        return [word, error, again, __name__]
    return needs_nothing, total


def closes_over():
    inside = 4

    def count(n: int) -> int:
        return n + inside

    return count


@pytest.mark.parametrize(
    ("function", "missing"),
    [
        (needs_a_helper, "helper, math"),
        (needs_a_default, "LIMIT"),
        (needs_an_annotation, "Text"),
        (needs_it_inside, "LIMIT"),
        (needs_a_new_print, "print"),
        (needs_a_base, "Text"),
        (needs_a_decorator, "functools"),
        (closes_over(), "inside"),
        (needs_its_wrapper, "doubled"),
        (needs_quoted_types, "Result, Text"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_missing_names_are_named(function, missing):
    with pytest.raises(FunctionDumpError, match=f"it needs {missing};"):
        source_of(function)


def test_the_error_says_what_to_do():
    with pytest.raises(FunctionDumpError) as refused:
        source_of(needs_a_helper)
    assert str(refused.value) == (
        "the source text of needs_a_helper cannot run on its own: it needs helper, math;"
        " pass math in global_imports; define or import helper inside the function, or pass an"
        " ImportFromModule in global_imports"
    )


@pytest.mark.parametrize(
    "imports",
    [
        ["math", ImportFromModule(__name__, ("helper",))],
        [Alias("cmath", "math"), ImportFromModule(__name__, (Alias("needs_a_default", "helper"),))],
        ["math.nothing", ImportFromModule(__name__, ("*",))],
    ],
    ids=["plain", "alias", "star"],
)
def test_imports_of_every_kind_count(imports):
    assert source_of(needs_a_helper, imports).startswith("def needs_a_helper")


async def test_what_needs_only_imports_is_dumped_and_runs_again():
    imports = ["math", ImportFromModule(__name__, ("helper",))]
    component = FunctionTool(needs_a_helper, "d", global_imports=imports).dump_component()
    with allow_source_text():
        tool = FunctionTool.load_component(component)
    assert await tool.run_json({"n": 1}) == 4


def test_a_function_that_needs_nothing_is_dumped():
    assert source_of(needs_nothing, [ImportFromModule("typing", ("Any",))])
    assert source_of(quotes_no_types, [ImportFromModule("typing", ("Annotated", "Literal"))])


async def test_the_imports_of_a_function_with_requirements_go_into_the_config():
    @with_requirements(global_imports=["math"])
    def area(radius: float) -> float:
        return math.pi * radius**2

    component = FunctionTool(area, "d").dump_component()
    assert component.config["global_imports"] == ["math"]
    with allow_source_text():
        tool = FunctionTool.load_component(component)
    assert await tool.run_json({"radius": 1}) == math.pi
