"""Static workbenches: names, errors in words, and tools that are source text."""

import pytest

from ferrogen.exceptions import SourceTextRefusedError, ToolNameError
from ferrogen.tools import (
    BaseTool,
    FunctionTool,
    StaticWorkbench,
    ToolOverride,
    Workbench,
    allow_source_text,
)


def add(a: int, b: int) -> int:
    return a + b


class SeveralErrors(Exception):
    def __init__(self, *exceptions):
        super().__init__(f"{len(exceptions)} errors")
        self.exceptions = exceptions


def workbench(**names):
    overrides = {own: ToolOverride(name=name) for own, name in names.items()}
    return StaticWorkbench([FunctionTool(add, "Adds.")], overrides)


async def test_a_tool_goes_by_both_of_its_names():
    for name in ("add", "sum"):
        result = await workbench(add="sum").call_tool(name, {"a": 1, "b": 2})
        assert (result.name, result.to_text(), result.is_error) == (name, "3", False)


def test_two_tools_under_one_name_are_refused():
    tools = [FunctionTool(add, "Adds."), FunctionTool(add, "Adds.", name="sum")]
    with pytest.raises(ToolNameError, match="conflicts with existing tool name"):
        StaticWorkbench(tools, {"add": ToolOverride(name="sum")})


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("  spaces  "), "spaces"),
        (LookupError(), "LookupError"),
        (SeveralErrors(ValueError("a"), SeveralErrors(OSError("b"), KeyError())), "a\nb\nKeyError"),
        (SeveralErrors(), "0 errors"),
        (OSError("no file caf\udce9.txt"), "no file caf\\udce9.txt"),
    ],
    ids=str,
)
async def test_an_error_is_put_in_words_for_the_model(error, words):
    def fail() -> None:
        raise error

    result = await StaticWorkbench([FunctionTool(fail, "Fails.")]).call_tool("fail")
    assert (result.to_text(), result.is_error) == (words, True)


async def test_tools_that_are_added_to_the_list_later_are_there():
    tools: list[BaseTool] = []
    bench = StaticWorkbench(tools)
    tools.append(FunctionTool(add, "Adds."))
    assert [tool["name"] for tool in await bench.list_tools()] == ["add"]


async def test_a_config_with_source_text_is_loaded_by_leave_only():
    component = workbench(add="sum").dump_component()
    with pytest.raises(SourceTextRefusedError):
        Workbench.load_component(component)
    with allow_source_text():
        loaded = Workbench.load_component(component)
    assert loaded.dump_component() == component
    assert (await loaded.call_tool("sum", {"a": 1, "b": 2})).to_text() == "3"


def test_an_empty_config_is_an_empty_workbench():
    loaded = StaticWorkbench.load_component(
        {"provider": "autogen_core.tools.StaticWorkbench", "config": {}}
    )
    assert loaded.dump_component().config == {"tools": [], "tool_overrides": {}}
