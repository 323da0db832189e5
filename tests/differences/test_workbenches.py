"""Workbenches: fixed defects of streams and errors."""

import asyncio
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


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_its_token_cancels_is_a_result(stream):
    async def scenario(core, record):
        started = asyncio.Event()

        async def wait_forever() -> None:
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                record("ended")

        tools = submodule(core, "tools")
        workbench = tools.StaticStreamWorkbench([tools.FunctionTool(wait_forever, "d")])
        token = core.CancellationToken()

        async def call():
            if not stream:
                return (await workbench.call_tool("wait_forever", {}, token)).is_error
            stream_of_parts = workbench.call_tool_stream("wait_forever", {}, token)
            return [part.is_error async for part in stream_of_parts]

        task = asyncio.ensure_future(call())
        await started.wait()
        token.cancel()
        await record.outcome("call", task)

    upstream, ours = both(scenario)
    assert upstream == ["ended", ("call", "raised CancelledError: ")]
    assert ours == ["ended", ["call", [True] if stream else True]]


def test_a_token_ends_a_stream_tool():
    async def scenario(core, record):
        class Part(BaseModel):
            n: int

        started, release = asyncio.Event(), asyncio.Event()
        tools = submodule(core, "tools")

        class Waiting(tools.BaseStreamTool):
            async def run(self, args, cancellation_token): ...

            async def run_stream(self, args, cancellation_token):
                yield args
                started.set()
                await release.wait()
                yield args

        async def call():
            stream = workbench.call_tool_stream("waiting", {"n": 1}, token)
            return [getattr(part, "is_error", part) async for part in stream]

        workbench = tools.StaticStreamWorkbench([Waiting(Part, Part, "waiting", "d")])
        token = core.CancellationToken()
        task = asyncio.ensure_future(call())
        await started.wait()
        token.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
        record("freed", task.done())
        release.set()
        record(len(await task), (await task)[-1])

    assert both(scenario) == (
        [["freed", False], [2, False]],
        [["freed", True], [2, True]],
    )


def test_a_tool_that_cancels_itself_is_a_result():
    async def scenario(core, record):
        async def cancelled() -> None:
            raise asyncio.CancelledError

        tools = submodule(core, "tools")
        workbench = tools.StaticWorkbench([tools.FunctionTool(cancelled, "d")])
        await record.outcome("call", workbench.call_tool("cancelled"))

    upstream, ours = both(scenario)
    assert upstream == [("call", "raised CancelledError: ")]
    assert ours[0][1].is_error
    assert ours[0][1].to_text() == "the call was cancelled: by the tool itself"
