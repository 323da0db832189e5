"""Tracing, profiling and coverage of handlers."""

import asyncio
import sys
import threading

import coverage
import pytest

from .everyday import everyday
from .scenario import Scenario, yield_to_loop


@pytest.fixture
def untraced():
    """Remove the trace function of the test run, and restore it afterwards."""
    tracing, profiling = sys.gettrace(), sys.getprofile()
    sys.settrace(None)
    sys.setprofile(None)
    yield
    sys.settrace(tracing)
    sys.setprofile(profiling)


def lines_of(code, skipped=0):
    """The lines of a function's body."""
    return sorted({line for _, _, line in code.co_lines() if line} - {code.co_firstlineno})


def handler_scenario(core, mode):
    scenario = Scenario(core, mode)

    async def handler(self, message, ctx):
        before = message.value
        if before:
            await asyncio.sleep(0)
        after = [before]
        return after.pop()

    return scenario, handler


async def play(scenario, handler):
    await scenario.agent("a", handler, topic="t")
    scenario.start()
    assert await scenario.ask("a", 0) == 0
    assert await scenario.ask("a", 1) == 1
    await scenario.publish("t", 1)
    await yield_to_loop()
    await scenario.idle()


def test_a_trace_function_sees_every_line(core, mode, untraced):
    scenario, handler = handler_scenario(core, mode)
    seen = []

    def trace(frame, event, argument):
        if frame.f_code is handler.__code__:
            seen.append((event, frame.f_lineno))
        return trace

    async def main():
        sys.settrace(trace)
        try:
            await play(scenario, handler)
        finally:
            sys.settrace(None)

    asyncio.run(main())
    lines = lines_of(handler.__code__)
    assert sorted({line for event, line in seen if event == "line"}) == lines
    # Once through without a suspension, twice with one; a suspension is a return and a call.
    assert [event for event, _ in seen].count("call") == 5
    assert [event for event, _ in seen].count("return") == 5


def test_a_trace_function_sees_the_exception_thrown_into_a_handler(core, mode, untraced):
    scenario = Scenario(core, mode)
    seen = []

    async def handler(self, message, ctx):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "cancelled"

    def trace(frame, event, argument):
        if frame.f_code is handler.__code__ and event == "exception":
            seen.append(argument[0])
        return trace

    async def main():
        await scenario.agent("a", handler)
        scenario.start()
        before = asyncio.all_tasks()
        asked = asyncio.ensure_future(scenario.ask("a"))
        await yield_to_loop()
        (task,) = [t for t in asyncio.all_tasks() - before if t is not asked]
        sys.settrace(trace)
        task.cancel()
        try:
            assert await asked == "cancelled"
        finally:
            sys.settrace(None)
        await scenario.idle()

    async def traced_from_the_start():
        threading.settrace(None)
        await main()

    asyncio.run(traced_from_the_start())
    # The frame of a handler that was there before tracing began may have no trace function.
    assert seen in ([], [asyncio.CancelledError])


def test_a_profile_function_sees_the_handler(core, mode, untraced):
    scenario, handler = handler_scenario(core, mode)
    seen = []

    def profile(frame, event, argument):
        if frame.f_code is handler.__code__:
            seen.append(event)

    async def main():
        sys.setprofile(profile)
        try:
            await play(scenario, handler)
        finally:
            sys.setprofile(None)

    asyncio.run(main())
    assert seen.count("call") == seen.count("return") == 5


@pytest.mark.parametrize("kind", ["trace", "profile"])
def test_everyday_under_a_function_that_traces_everything(core, mode, untraced, kind):
    events = []

    def watch(frame, event, argument):
        events.append(event)
        return watch

    async def main():
        scenario = Scenario(core, mode)
        set_function = sys.settrace if kind == "trace" else sys.setprofile
        set_function(watch)
        try:
            await everyday(scenario)
        finally:
            set_function(None)

    asyncio.run(main())
    assert "call" in events


@pytest.mark.filterwarnings("ignore::coverage.exceptions.CoverageWarning")
def test_coverage_counts_the_lines_after_a_suspension(core, mode, untraced):
    scenario, handler = handler_scenario(core, mode)
    measuring = coverage.Coverage(data_file=None, include=[__file__], config_file=False)

    async def main():
        measuring.start()
        try:
            await play(scenario, handler)
        finally:
            measuring.stop()

    asyncio.run(main())
    covered = measuring.get_data().lines(__file__) or []
    assert set(lines_of(handler.__code__)) <= set(covered)
