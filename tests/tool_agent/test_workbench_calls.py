"""The calls of one response, made by workbenches side by side."""

import asyncio

import pytest

from ferrogen import CancellationToken, FunctionCall
from ferrogen.tool_agent import call_tools
from ferrogen.tools import FunctionTool, Guard, StaticWorkbench


def calls(*names, arguments="{}"):
    return [FunctionCall(str(at), arguments, name) for at, name in enumerate(names)]


def workbench(*functions):
    return StaticWorkbench([FunctionTool(function, "d") for function in functions])


async def one() -> int:
    return 1


async def fails() -> None:
    raise LookupError("not there")


async def test_results_are_in_the_order_of_the_calls_which_run_side_by_side():
    ready = asyncio.Event()

    async def slow() -> str:
        await ready.wait()
        return "slow"

    async def quick() -> str:
        ready.set()
        return "quick"

    results = await call_tools(workbench(slow, quick), calls("slow", "quick", "slow"))
    assert [(each.call_id, each.name, each.content) for each in results] == [
        ("0", "slow", "slow"),
        ("1", "quick", "quick"),
        ("2", "slow", "slow"),
    ]


async def test_one_that_fails_does_not_affect_the_others():
    made = [
        *calls("one", "fails", "unknown", "one"),
        FunctionCall("4", "{", "one"),
        FunctionCall("5", "[1]", "one"),
        FunctionCall("6", "", "one"),
    ]
    results = await call_tools(workbench(one, fails), made)
    assert [each.is_error for each in results] == [False, True, True, False, True, True, False]
    assert results[1].content == "not there"
    assert results[5].content == "the arguments are not a JSON object: [1]"


async def test_each_call_goes_to_the_workbench_that_has_the_tool():
    def two() -> int:
        return 2

    results = await call_tools([workbench(one), workbench(two, fails)], calls("two", "one", "no"))
    assert [each.content for each in results] == ["2", "1", "there is no tool no"]
    assert [each.is_error for each in await call_tools([], calls("one"))] == [True]


async def test_calls_can_be_limited():
    running, most = 0, 0

    async def count() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await call_tools(workbench(count), calls(*["count"] * 10), concurrency=3)
    assert most == 3
    with pytest.raises(ValueError, match="concurrency is 0"):
        await call_tools(workbench(count), [], concurrency=0)


@pytest.mark.parametrize("by", ["token", "caller"])
async def test_cancelling_ends_all_calls(by):
    started, ended = [], []
    both = asyncio.Event()

    async def wait() -> None:
        started.append(1)
        if len(started) == 2:
            both.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    token = CancellationToken()
    running = asyncio.ensure_future(call_tools(workbench(wait), calls("wait", "wait"), token))
    await both.wait()
    if by == "token":
        token.cancel()
        assert [each.is_error for each in await running] == [True, True]
    else:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert len(ended) == 2


async def test_they_pass_the_guards():
    with Guard(max_calls=2):
        results = await call_tools(workbench(one), calls("one", "one", "one"))
    assert sorted(each.is_error for each in results) == [False, False, True]
