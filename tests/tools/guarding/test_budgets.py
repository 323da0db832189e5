"""Budgets: calls, wall time and cost, also of calls that run side by side."""

import asyncio
import time

import pytest

from ferrogen.testing import VirtualClock
from ferrogen.tools import (
    Ask,
    FunctionTool,
    Guard,
    StaticStreamWorkbench,
    StaticWorkbench,
    ToolBudgetError,
    ToolContext,
)

from .conftest import StreamingTool, Way, outcome


async def budget_of(work):
    error = await outcome(work)
    assert isinstance(error, ToolBudgetError), error
    return error.budget


async def test_calls_beyond_the_budget_are_refused(way):
    with Guard(max_calls=1, name="purse"):
        assert await way.call() == "paid 5"
        assert await way.call() == (
            "the call of pay was refused: the guard 'purse' allows 1 calls in all"
        )
    assert way.paid == [5]


async def test_calls_side_by_side_share_the_budget():
    async def pause() -> str:
        await asyncio.sleep(0)
        return "done"

    with Guard(max_calls=3):
        tool = FunctionTool(pause, "d")
        found = await asyncio.gather(*(outcome(tool.run_json({})) for _ in range(10)))
    assert found.count("done") == 3


async def test_the_costs_of_tools_are_added(tool):
    with Guard(costs={"pay": 0.1}, max_cost=1.0) as guard:
        for _ in range(10):
            await tool.run_json({"amount": 1})
        assert await budget_of(tool.run_json({"amount": 1})) == "cost"
    assert guard.spent.cost == pytest.approx(1.0)


async def test_a_cost_can_depend_on_the_call(tool):
    with Guard(costs=lambda call: call.arguments["amount"], max_cost=10) as guard:
        await tool.run_json({"amount": 8})
        assert await budget_of(tool.run_json({"amount": 3})) == "cost"
        await tool.run_json({"amount": 2})
        with pytest.raises(ValueError, match="negative"):
            await tool.run_json({"amount": -1})
    assert guard.spent.cost == 10


async def test_a_tool_can_charge_a_cost():
    charged = []

    def ask_a_model(tokens: int, context: ToolContext) -> str:
        context.charge(tokens / 1000)
        charged.append(tokens)
        return "answer"

    tool = FunctionTool(ask_a_model, "d")
    with Guard(max_cost=1) as guard, Guard() as other:
        await tool.run_json({"tokens": 600})
        assert await budget_of(tool.run_json({"tokens": 600})) == "cost"
    assert (charged, guard.spent.cost, other.spent.cost) == ([600], 1.2, 1.2)


async def never() -> None:
    await asyncio.Event().wait()


@pytest.fixture
def clock(monkeypatch):
    """Simulated time, also for what reads the monotonic clock."""
    clock = VirtualClock()
    monkeypatch.setattr(time, "monotonic", clock.time)
    return clock


def test_a_call_ends_when_time_runs_out(clock):
    seen = []

    async def work(context: ToolContext) -> None:
        seen.append(context.remaining)
        await never()

    async def main() -> None:
        tool = FunctionTool(work, "d")
        with Guard(max_seconds=5) as guard:
            assert await budget_of(tool.run_json({})) == "seconds"
            assert await budget_of(tool.run_json({})) == "seconds"
        assert guard.spent.seconds == 5

    clock.run(main())
    assert seen == [5]


def test_a_stream_ends_when_time_runs_out(clock, paying):
    class Endless(StreamingTool):
        async def run_stream(self, args, cancellation_token):
            yield args
            await never()

    async def main() -> None:
        with Guard(max_seconds=5):
            stream = Endless(paying).run_json_stream({"amount": 1})
            assert (await anext(stream)).amount == 1
            assert await budget_of(anext(stream)) == "seconds"
            workbench = StaticStreamWorkbench([Endless(paying)])
            parts = [part async for part in workbench.call_tool_stream("pay", {"amount": 1})]
            assert parts[-1].is_error

    clock.run(main())


def test_time_counts_once_for_calls_side_by_side(clock):
    async def work(started: int) -> None:
        await asyncio.sleep(5)

    async def main() -> None:
        tool = FunctionTool(work, "d")
        with Guard() as guard:
            await asyncio.gather(*(tool.run_json({"started": n}) for n in range(10)))
        assert guard.spent.seconds == 5

    clock.run(main())


async def test_a_person_is_not_asked_about_a_call_without_a_budget(tool):
    with Guard(Ask.tools("pay"), max_calls=0) as guard:
        assert await budget_of(tool.run_json({"amount": 1})) == "calls"
    assert guard.pending == []


async def test_what_an_inner_guard_refuses_costs_an_outer_one_nothing(tool):
    with Guard(costs={"pay": 1}) as outer, Guard(max_calls=0):
        await outcome(tool.run_json({"amount": 1}))
    assert (outer.spent.calls, outer.spent.cost) == (0, 0)


async def test_a_budget_goes_on_after_a_restart(tool):
    with Guard(max_calls=2, costs={"pay": 2}) as guard:
        await tool.run_json({"amount": 1})
    with Guard(max_calls=2) as later:
        await later.load_state(await guard.save_state())
        await tool.run_json({"amount": 1})
        assert await budget_of(tool.run_json({"amount": 1})) == "calls"
        assert later.spent.cost == 2


@pytest.mark.parametrize("limit", ["max_calls", "max_seconds", "max_cost"])
@pytest.mark.parametrize("value", [-1, float("nan")])
def test_a_budget_that_is_no_number_is_refused(limit, value):
    with pytest.raises(ValueError, match=limit):
        Guard(**{limit: value})


async def test_a_failed_call_counts():
    def fail() -> None:
        raise LookupError("not there")

    with Guard() as guard:
        result = await StaticWorkbench([FunctionTool(fail, "d")]).call_tool("fail", {})
    assert result.to_text() == "not there"
    assert guard.spent.calls == 1


async def test_budgets_hold_in_every_way_for_time():
    way = Way("function")
    with Guard(max_seconds=0):
        assert "0 seconds in all" in await way.call()
    assert way.paid == []
