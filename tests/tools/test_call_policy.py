"""Limits of the calls of a tool: time, repetitions, concurrency, and a cache."""

import asyncio
import threading
import time

import pytest

from ferrogen import CancellationToken, InMemoryStore, testing
from ferrogen.exceptions import ToolCancelledError, ToolTimeoutError
from ferrogen.tools import (
    FunctionTool,
    KillableFunctionTool,
    StaticWorkbench,
    allow_source_text,
    tool,
    tool_call_cancelled,
)
from ferrogen.tools.call_policy import CallPolicy

from ..growing_timeouts import TIMEOUTS


class Failing:
    """A function that fails some times, and then returns the number of its calls."""

    def __init__(self, times: int, error: BaseException | None = None) -> None:
        self.times, self.calls = times, 0
        self.error = error or ValueError("not yet")

    async def __call__(self, n: int = 0) -> int:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return self.calls


@pytest.fixture
def delays(monkeypatch):
    """The delays that were waited for; they take no time."""
    waited = []

    async def sleep(delay):
        waited.append(delay)

    monkeypatch.setattr("ferrogen.tools.call_policy.asyncio.sleep", sleep)
    return waited


def sleep_for_long() -> None:
    time.sleep(600)


async def test_a_call_that_takes_too_long_is_cancelled():
    ended = asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(ToolTimeoutError, match=r"longer than 0\.01 seconds") as refused:
        await FunctionTool(wait, "d", timeout=0.01).run_json({})
    assert isinstance(refused.value, TimeoutError)
    assert ended.is_set()


async def test_a_thread_that_takes_too_long_is_left_and_can_see_it():
    started, release, done = (threading.Event() for _ in range(3))
    seen = []

    def block() -> None:
        started.set()
        release.wait(150)
        seen.append(tool_call_cancelled())
        done.set()

    for timeout in TIMEOUTS:
        with pytest.raises(ToolTimeoutError):
            await FunctionTool(block, "d", timeout=timeout).run_json({})
        if started.is_set():
            break
    release.set()
    assert await asyncio.to_thread(done.wait, 150)
    assert seen[-1] is True


async def test_a_process_that_takes_too_long_is_killed():
    limited = KillableFunctionTool(sleep_for_long, "d", timeout=0.01)
    with pytest.raises(ToolTimeoutError):
        await limited.run_json({})


async def test_in_a_workbench_a_timeout_is_a_result():
    async def wait() -> None:
        await asyncio.Event().wait()

    limited = FunctionTool(wait, "d", timeout=0.01)
    result = await StaticWorkbench([limited]).call_tool("wait")
    assert (result.is_error, result.to_text()) == (True, "the call took longer than 0.01 seconds")


async def test_a_token_ends_a_call_before_its_timeout():
    started, token = asyncio.Event(), CancellationToken()

    async def wait() -> None:
        started.set()
        await asyncio.Event().wait()

    call = asyncio.ensure_future(FunctionTool(wait, "d", timeout=60).run_json({}, token))
    await started.wait()
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_call_is_repeated_after_errors_with_growing_delays(delays):
    function = Failing(3)
    repeated = FunctionTool(function, "d", retries=3, retry_delay=0.5)
    assert await repeated.run_json({}) == 4
    assert delays == [0.5, 1.0, 2.0]


async def test_the_last_error_is_raised(delays):
    function = Failing(9)
    with pytest.raises(ValueError, match="not yet"):
        await FunctionTool(function, "d", retries=2).run_json({})
    assert function.calls == 3


def test_a_timeout_is_repeated_too():
    calls = []

    async def wait_once() -> int:
        calls.append(None)
        if len(calls) == 1:
            await asyncio.Event().wait()
        return len(calls)

    async def main() -> int:
        return await FunctionTool(wait_once, "d", timeout=5, retries=1).run_json({})

    assert testing.run(main()) == 2


async def test_a_cancelled_call_is_not_repeated():
    function = Failing(9, asyncio.CancelledError())
    with pytest.raises(ToolCancelledError):
        await FunctionTool(function, "d", retries=2).run_json({})
    assert function.calls == 1


async def test_wrong_arguments_are_not_repeated():
    function = Failing(0)
    with pytest.raises(ValueError, match="valid integer"):
        await FunctionTool(function, "d", retries=2).run_json({"n": "x"})
    assert function.calls == 0


async def test_a_token_ends_a_delay():
    failed, token = asyncio.Event(), CancellationToken()

    async def fail() -> None:
        failed.set()
        raise ValueError

    repeated = FunctionTool(fail, "d", retries=1, retry_delay=600)
    call = asyncio.ensure_future(repeated.run_json({}, token))
    await failed.wait()
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


class Crowd:
    """A function that waits until it may end, and counts how many of its calls run."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self.started, self.release = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        self.started.set()
        await self.release.wait()
        self.running -= 1


async def test_no_more_calls_run_than_concurrency_permits():
    crowd = Crowd()
    limited = FunctionTool(crowd, "d", concurrency=2)
    calls = [asyncio.ensure_future(limited.run_json({})) for _ in range(5)]
    await crowd.started.wait()
    crowd.release.set()
    await asyncio.gather(*calls)
    assert crowd.most == 2


async def test_a_call_that_waits_for_its_turn_can_be_cancelled():
    crowd, token = Crowd(), CancellationToken()
    limited = FunctionTool(crowd, "d", concurrency=1)
    first = asyncio.ensure_future(limited.run_json({}))
    await crowd.started.wait()
    by_token = asyncio.ensure_future(limited.run_json({}, token))
    by_task = asyncio.ensure_future(limited.run_json({}))
    last = asyncio.ensure_future(limited.run_json({}))
    await asyncio.sleep(0)
    token.cancel()
    by_task.cancel()
    for cancelled in (by_token, by_task):
        with pytest.raises(asyncio.CancelledError):
            await cancelled
    crowd.release.set()
    await asyncio.gather(first, last)
    assert crowd.most == 1


def test_a_tool_is_limited_in_each_event_loop():
    async def quick() -> int:
        return 1

    limited = FunctionTool(quick, "d", concurrency=1)
    assert [asyncio.run(limited.run_json({})) for _ in "ab"] == [1, 1]


async def test_results_are_kept_by_their_arguments():
    calls = []

    def double(n: int, **others: int) -> int:
        calls.append(n)
        return 2 * n

    cached = FunctionTool(double, "d", cache=InMemoryStore())
    for arguments in ({"n": 1, "a": 1, "b": 2}, {"b": "2", "n": "1", "a": 1}, {"n": 2}):
        assert await cached.run_json(arguments) == 2 * int(arguments["n"])
    assert calls == [1, 2]


async def test_none_is_a_result_and_an_error_is_not():
    calls = []

    def none_or_error(n: int) -> None:
        calls.append(n)
        if n:
            raise ValueError

    cached = FunctionTool(none_or_error, "d", cache=InMemoryStore())
    for _ in "ab":
        assert await cached.run_json({"n": 0}) is None
        with pytest.raises(ValueError, match=r"^$"):
            await cached.run_json({"n": 1})
    assert calls == [0, 1, 1]


@pytest.mark.parametrize(
    "limits",
    [{"timeout": 0}, {"timeout": -1.0}, {"concurrency": 0}, {"retries": -1}, {"retry_delay": -1}],
    ids=str,
)
def test_impossible_limits_are_refused(limits):
    with pytest.raises(ValueError, match=next(iter(limits))):
        CallPolicy(**limits)


def plain(n: int) -> int:
    return n


@pytest.mark.parametrize("kind", [FunctionTool, KillableFunctionTool])
def test_the_limits_are_in_the_config(kind):
    assert not {"timeout", "retries", "cache"} & kind(plain, "d").dump_component().config.keys()
    limited = kind(
        plain, "d", timeout=1.5, retries=2, retry_delay=0.1, concurrency=3, cache=InMemoryStore()
    )
    component = limited.dump_component()
    with allow_source_text():
        again = FunctionTool.load_component(component)
    assert again.dump_component() == component
    assert component.config["timeout"] == 1.5
    assert component.config["cache"]["provider"] == "autogen_core.InMemoryStore"


async def test_the_decorator_takes_limits():
    calls = []

    @tool(retries=1)
    async def fails_once() -> int:
        """Fail once."""
        calls.append(None)
        if len(calls) == 1:
            raise ValueError
        return len(calls)

    assert await fails_once.run_json({}) == 2


async def test_described_parameters_stay_so_in_the_config():
    @tool
    def order(pieces: int) -> None:
        """Order something.

        :param pieces: How many.
        """

    with allow_source_text():
        again = FunctionTool.load_component(order.dump_component())
    assert again.schema == order.schema
    assert again.schema["parameters"]["properties"]["pieces"]["description"] == "How many."
