"""Source text is run only where it is allowed, and written so that it can be run again."""

import asyncio
import functools
import gc
import math
import weakref

import pytest

import ferrogen.tools
from ferrogen.code_executor import Alias, ImportFromModule, with_requirements
from ferrogen.components import check_component
from ferrogen.exceptions import (
    ComponentTypeError,
    FunctionDumpError,
    FunctionSourceError,
    SourceImportError,
    SourceTextRefusedError,
)
from ferrogen.tools import allow_source_text
from ferrogen.tools.source_text import (
    SOURCE_TEXT_VARIABLE,
    function_from_source,
    source_of,
    text_of,
)

SOURCE = "def one() -> int:\n    return 1\n"


def plain(function):
    return function


@plain
@functools.cache
def decorated(n: int) -> int:
    return n


@ferrogen.tools.tool
@functools.cache
def cached(n: int) -> int:
    """Return a number."""
    return n


packed_up = cached._func


@plain
@plain
def registered() -> int:
    return 1


@with_requirements(global_imports=["math"])
def area(radius: float) -> float:
    return math.pi * radius**2


class Callable:
    def __call__(self) -> int: ...


def test_source_text_is_refused_before_anything_is_imported():
    with pytest.raises(SourceTextRefusedError) as refused:
        function_from_source(SOURCE, ["no_such_module"])
    assert isinstance(refused.value, PermissionError)
    assert SOURCE_TEXT_VARIABLE in str(refused.value)


def test_the_environment_can_allow_it_for_the_process(monkeypatch):
    monkeypatch.setenv(SOURCE_TEXT_VARIABLE, "1")
    assert function_from_source(SOURCE, [])() == 1
    monkeypatch.setenv(SOURCE_TEXT_VARIABLE, "")
    with pytest.raises(SourceTextRefusedError):
        function_from_source(SOURCE, [])


async def test_allowing_concerns_the_task_and_what_it_starts_only():
    inside, leave = asyncio.Event(), asyncio.Event()

    async def child():
        return function_from_source(SOURCE, [])()

    async def allows():
        with allow_source_text():
            inside.set()
            await leave.wait()
            return await asyncio.create_task(child())

    task = asyncio.create_task(allows())
    await inside.wait()
    with pytest.raises(SourceTextRefusedError):
        function_from_source(SOURCE, [])
    leave.set()
    assert await task == 1


def test_allowing_ends_with_the_block_even_when_it_raises():
    with pytest.raises(LookupError), allow_source_text():
        raise LookupError
    with pytest.raises(SourceTextRefusedError):
        function_from_source(SOURCE, [])


def test_imports_of_every_kind_are_there_for_the_function():
    source = "def all_of_it() -> tuple:\n    return math.pi, root(4), moment.date.min.year\n"
    root = ImportFromModule("math", (Alias("sqrt", "root"),))
    imports = ["math", root, Alias("datetime", "moment")]
    with allow_source_text():
        assert function_from_source(source, imports)() == (math.pi, 2.0, 1)


@pytest.mark.parametrize(
    ("source", "imports", "kind", "words"),
    [
        ("x = 1", [], FunctionSourceError, "defines no function at its top level"),
        ("class A:\n    def f(self): ...", [], FunctionSourceError, "no function"),
        ("def f(:", [], FunctionSourceError, "Could not compile and load function"),
        ("1 / 0\ndef f(): ...", [], FunctionSourceError, "division by zero"),
        ("@int\ndef f(): ...", [], FunctionSourceError, "Could not compile and load function"),
        ("@repr\ndef f(): ...", [], ComponentTypeError, "Expected function but got"),
        (SOURCE, ["no_such_module"], SourceImportError, "Failed to import import no_such_module"),
        (SOURCE, [ImportFromModule("math", ("no",))], SourceImportError, "cannot import name"),
    ],
)
def test_a_fault_in_the_text_has_a_name(source, imports, kind, words):
    with allow_source_text(), pytest.raises(kind, match=words):
        function_from_source(source, imports)


def test_a_function_is_written_with_the_decorators_that_replace_it():
    def inner() -> int:
        return 1

    assert source_of(inner) == "def inner() -> int:\n    return 1\n"
    assert source_of(area, ["math"]).startswith("def area(radius: float)")
    needed = ["functools", ImportFromModule(__name__, ("plain",))]
    assert source_of(decorated, needed).startswith(
        "@plain\n@functools.cache\ndef decorated(n: int)"
    )
    assert source_of(packed_up, ["functools"]).startswith("@functools.cache\ndef cached(n: int)")
    assert source_of(registered).startswith("def registered()")


@pytest.mark.parametrize(
    "function",
    [functools.partial(decorated, 1), Callable(), Callable().__call__, math.sqrt, lambda: 1],
    ids=["partial", "object", "method", "builtin", "lambda"],
)
def test_functions_without_source_are_named_with_advice(function):
    with pytest.raises(FunctionDumpError, match="make the tool of a function"):
        source_of(function)


def test_a_loaded_function_is_written_as_the_whole_text_it_came_from():
    source = f"HALF = 0.5\n\n{SOURCE}"
    with allow_source_text():
        assert source_of(function_from_source(source, [])) == source


def test_the_text_is_forgotten_with_the_function():
    with allow_source_text():
        function = function_from_source(SOURCE, ["math"])
    assert text_of(function)() == 1
    gone = weakref.ref(text_of(function))
    del function
    gc.collect()
    assert gone() is None


def test_what_cannot_be_looked_up_is_loaded_and_cannot_be_dumped():
    source = "@lambda f: operator.itemgetter(0)\ndef first(): ...\n"
    with allow_source_text():
        first = function_from_source(source, ["operator"])
    assert first("ab") == "a"
    with pytest.raises(TypeError, match="weak reference"):
        weakref.ref(first)
    with pytest.raises(FunctionDumpError):
        source_of(first)


SOURCE_FAULTS = [
    ("def double(n: int) -> int:\n    return 2 * n\n", []),
    ("def double(n: int) -> int:\n    return 2 *\n", ["config"]),
    ("double = 2", ["config"]),
    ("raise SystemExit", ["config"]),
    ("\0", ["config"]),
]


@pytest.mark.parametrize("provider", ["FunctionTool", "KillableFunctionTool"])
@pytest.mark.parametrize(("source", "kinds"), SOURCE_FAULTS)
def test_the_dry_run_reports_the_faults_of_source_text_and_runs_none(provider, source, kinds):
    config = {
        "provider": f"ferrogen.tools.{provider}",
        "config": {
            "source_code": source,
            "name": "double",
            "description": "Doubles a number.",
            "global_imports": [],
            "has_cancellation_support": False,
        },
    }
    workbench = {"provider": "autogen_core.tools.StaticWorkbench", "config": {"tools": [config]}}
    place = "config.source_code"
    assert [(fault.place, fault.kind) for fault in check_component(config)] == [
        (place, kind) for kind in ["untrusted", *kinds]
    ]
    with allow_source_text():
        assert [fault.kind for fault in check_component(config)] == kinds
        assert [fault.place for fault in check_component(workbench)] == [
            f"config.tools[0].{place}" for _ in kinds
        ]


def test_the_dry_run_reports_faults_of_source_text_beside_those_of_the_schema():
    config = {
        "provider": "ferrogen.tools.FunctionTool",
        "config": {"source_code": "def", "name": 1},
    }
    kinds = {fault.place: fault.kind for fault in check_component(config)}
    assert kinds["config.name"] == "config"
    assert kinds["config.source_code"] == "config"
    config["config"]["source_code"] = 1
    assert ("config.source_code", "config") in [
        (fault.place, fault.kind) for fault in check_component(config)
    ]
