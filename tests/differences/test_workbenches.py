"""Workbenches: fixed defects of streams and errors."""

import builtins
import sys

import pytest
from pydantic import BaseModel
from tests.compat.harness import both, submodule


def add(a: int, b: int) -> int:
    return a + b


def test_a_stream_is_called_by_the_name_of_the_override():
    async def scenario(core, record):
        tools = submodule(core, "tools")
        overrides = {"add": tools.ToolOverride(name="sum")}
        workbench = tools.StaticStreamWorkbench([tools.FunctionTool(add, "Adds.")], overrides)
        async for part in workbench.call_tool_stream("sum", {"a": 1, "b": 2}):
            record(part.name, part.to_text())

    assert both(scenario) == ([["sum", "Tool sum not found."]], [["sum", "3"]])


@pytest.mark.skipif(sys.version_info < (3, 11), reason="needs exception groups")
def test_the_errors_of_a_group_are_printed_line_by_line():
    async def scenario(core, record):
        def fail() -> None:
            group = builtins.ExceptionGroup("all", [ValueError("first"), LookupError("second")])
            raise builtins.ExceptionGroup("more", [group, OSError("third")])

        tools = submodule(core, "tools")
        workbench = tools.StaticWorkbench([tools.FunctionTool(fail, "d")])
        record((await workbench.call_tool("fail")).to_text())

    assert both(scenario) == (["firstsecondthird"], ["first\nsecond\nthird"])


def test_an_error_without_text_is_reported_by_its_class():
    async def scenario(core, record):
        def fail() -> None:
            raise TimeoutError

        tools = submodule(core, "tools")
        workbench = tools.StaticWorkbench([tools.FunctionTool(fail, "d")])
        record((await workbench.call_tool("fail")).to_text())

    assert both(scenario) == ([""], ["TimeoutError"])


def test_a_stream_of_a_workbench_that_is_left_early_ends_its_tool():
    async def scenario(core, record):
        class Part(BaseModel):
            n: int

        tools = submodule(core, "tools")

        class Endless(tools.BaseStreamTool):
            async def run(self, args, cancellation_token): ...

            async def run_stream(self, args, cancellation_token):
                try:
                    while True:
                        yield args
                finally:
                    record("ended")

        workbench = tools.StaticStreamWorkbench([Endless(Part, Part, "endless", "d")])
        stream = workbench.call_tool_stream("endless", {"n": 1})
        await anext(stream)
        await stream.aclose()
        record("left")

    upstream, ours = both(scenario)
    assert upstream[0] == "left"
    assert ours == ["ended", "left"]
