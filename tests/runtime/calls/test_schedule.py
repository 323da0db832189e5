"""Schedules: when their messages are sent, and how they end."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ferrogen import (
    AgentId,
    MessageContext,
    Schedule,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import RuntimeStoppedError
from ferrogen.testing import VirtualClock, VirtualTimeLoop

from ..function_agents import Doing, boom, register
from .clock import now
from .messages import Question

Runtime = SingleThreadedAgentRuntime
TICK = Question("tick")
START = datetime(2000, 1, 1, tzinfo=timezone.utc)  # a Saturday


class Record:
    """A handler that notes when it is called, and takes some time."""

    def __init__(self, *seconds: float) -> None:
        self.times: list[float] = []
        self.contexts: list[MessageContext] = []
        self._seconds = list(seconds)

    async def __call__(self, agent: Doing, message: Any, ctx: MessageContext) -> None:
        self.times.append(now())
        self.contexts.append(ctx)
        if self._seconds:
            await asyncio.sleep(self._seconds.pop(0))


async def test_a_message_is_sent_at_a_constant_distance(runtime: Runtime) -> None:
    record = Record()
    a = await register(runtime, "a", record)
    schedule = runtime.schedule(TICK, a(), every=10)
    assert isinstance(schedule, Schedule)
    assert schedule.next_time == START + timedelta(seconds=10)
    await asyncio.sleep(35)
    assert record.times == [10, 20, 30]
    assert schedule.next_time == START + timedelta(seconds=40)
    assert schedule.is_active
    assert [ctx.is_rpc for ctx in record.contexts] == [True] * 3


async def test_the_first_message_has_its_own_delay(runtime: Runtime) -> None:
    record, at_once = Record(), Record()
    a, b = await register(runtime, "a", record), await register(runtime, "b", at_once)
    runtime.schedule(TICK, a(), every=10, delay=3)
    runtime.schedule(TICK, b(), every=10, delay=0)
    await asyncio.sleep(25)
    assert record.times == [3, 13, 23]
    assert at_once.times == [0, 10, 20]


async def test_a_schedule_ends_after_its_count(runtime: Runtime) -> None:
    record = Record()
    a = await register(runtime, "a", record)
    schedule = runtime.schedule(TICK, a(), every=10, count=2)
    await schedule.wait()
    assert record.times == [10, 20]
    assert now() == 20
    assert not schedule.is_active
    assert schedule.next_time is None
    assert schedule.sent == 2


async def test_waiting_ends_when_the_last_message_was_handled(runtime: Runtime) -> None:
    a = await register(runtime, "a", Record(5))
    await runtime.schedule(TICK, a(), every=10, count=1).wait()
    assert now() == 15


async def test_times_do_not_drift(runtime: Runtime) -> None:
    record = Record(*[0.03] * 2000)
    a = await register(runtime, "a", record)
    await runtime.schedule(TICK, a(), every=0.1, count=1000).wait()
    assert record.times == [0.1 + number * 0.1 for number in range(1000)]


async def test_a_slow_handler_gets_no_second_message_and_late_times_are_skipped(
    runtime: Runtime,
) -> None:
    record = Record(25, 5, 10)
    a = await register(runtime, "a", record)
    schedule = runtime.schedule(TICK, a(), every=10)
    await asyncio.sleep(11)
    assert schedule.next_time is None
    await asyncio.sleep(61)
    # From 10 to 35, from 40 to 45, and from 50 to exactly 60.
    assert record.times == [10, 40, 50, 60, 70]
    assert schedule.skipped == 2


async def test_a_topic_is_published_to_without_waiting_for_handlers(runtime: Runtime) -> None:
    record = Record(25, 25, 25)
    await register(runtime, "a", record)
    await runtime.add_subscription(TypeSubscription("news", "a"))
    topic = TopicId("news", "one")
    await runtime.schedule(TICK, topic, every=10, count=3).wait()
    await runtime.stop_when_idle()
    assert record.times == [10, 20, 30]
    assert [ctx.topic_id for ctx in record.contexts] == [topic] * 3


async def test_options_of_sending_are_passed_on(runtime: Runtime) -> None:
    record = Record()
    a = await register(runtime, "a", record)
    sender = AgentId("b", "x")
    await runtime.schedule(TICK, a(), every=1, count=1, sender=sender, message_id="7").wait()
    assert [(ctx.sender, ctx.message_id) for ctx in record.contexts] == [(sender, "7")]


async def test_errors_are_logged_and_the_schedule_goes_on(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    a = await register(runtime, "a", boom)
    schedule = runtime.schedule(TICK, a(), every=10, count=3)
    with caplog.at_level(logging.ERROR):
        await schedule.wait()
    assert schedule.sent == 3
    assert "the schedule of Question to a/default: message 2 failed" in caplog.text
    assert "KeyError" in caplog.text


async def test_a_handler_that_is_cancelled_does_not_end_the_schedule(runtime: Runtime) -> None:
    async def cancel(agent: Doing, message: Any, ctx: MessageContext) -> None:
        raise asyncio.CancelledError

    a = await register(runtime, "a", cancel)
    schedule = runtime.schedule(TICK, a(), every=10, count=3)
    await schedule.wait()
    assert schedule.sent == 3


async def test_cancelling_ends_it(runtime: Runtime) -> None:
    record = Record()
    a = await register(runtime, "a", record)
    schedule = runtime.schedule(TICK, a(), every=10)
    await asyncio.sleep(15)
    schedule.cancel()
    schedule.cancel()
    await schedule.wait()
    await asyncio.sleep(100)
    assert record.times == [10]
    assert schedule.next_time is None


async def test_cancelling_lets_the_handler_that_runs_end(runtime: Runtime) -> None:
    ended: list[float] = []

    async def work(agent: Doing, message: Any, ctx: MessageContext) -> None:
        await asyncio.sleep(7)
        ended.append(now())

    a = await register(runtime, "a", work)
    schedule = runtime.schedule(TICK, a(), every=10)
    await asyncio.sleep(12)
    schedule.cancel()
    await asyncio.sleep(100)
    assert ended == [17]


async def test_a_handler_cancels_its_own_schedule(runtime: Runtime) -> None:
    schedules: list[Schedule] = []

    async def cancel(agent: Doing, message: Any, ctx: MessageContext) -> None:
        schedules[0].cancel()

    a = await register(runtime, "a", cancel)
    schedules.append(runtime.schedule(TICK, a(), every=10))
    await schedules[0].wait()
    assert (now(), schedules[0].sent) == (10, 1)


@pytest.mark.parametrize("end", ["stop", "close", "drain", "idle"])
async def test_a_schedule_ends_with_the_runtime(end: str) -> None:
    runtime = Runtime()
    record = Record()
    a = await register(runtime, "a", record)
    runtime.start()
    schedule = runtime.schedule(TICK, a(), every=10)
    await asyncio.sleep(15)
    if end == "drain":
        await runtime.stop(drain=True)
    elif end == "idle":
        await runtime.stop_when_idle()
    else:
        await getattr(runtime, end)()
    assert not schedule.is_active
    await asyncio.sleep(100)
    assert record.times == [10]
    await runtime.close()


async def test_draining_begins_no_further_message() -> None:
    record = Record(60)
    async with Runtime() as runtime:
        a = await register(runtime, "a", record)
        b = await register(runtime, "b", Record(60))
        runtime.schedule(TICK, a(), every=10, delay=5)
        busy = asyncio.ensure_future(runtime.send_message(TICK, b()))
        await asyncio.sleep(1)
    await busy
    assert record.times == []
    assert now() == 60


async def test_a_schedule_ends_when_the_runtime_halts() -> None:
    runtime = SingleThreadedAgentRuntime(ignore_unhandled_exceptions=False)
    await register(runtime, "a", boom)
    await runtime.add_subscription(TypeSubscription("news", "a"))
    runtime.start()
    schedule = runtime.schedule(TICK, TopicId("news", "one"), every=10)
    await schedule.wait()
    assert (now(), schedule.sent) == (10, 1)
    with pytest.raises(KeyError):
        await runtime.stop()


async def test_messages_have_the_context_of_the_runtime() -> None:
    variable = contextvars.ContextVar("variable", default="none")
    seen: list[str] = []

    class Noting(Runtime):
        async def send_message(self, *arguments: Any, **options: Any) -> Any:
            seen.append(variable.get())
            return await super().send_message(*arguments, **options)

    variable.set("at the start")
    async with Noting() as runtime:
        a = await register(runtime, "a", Record())
        variable.set("when it was scheduled")
        await runtime.schedule(TICK, a(), every=1, count=1).wait()
    assert seen == ["at the start"]


# Cron.


async def test_a_cron_expression_gives_the_times(runtime: Runtime) -> None:
    record = Record()
    a = await register(runtime, "a", record)
    schedule = runtime.schedule(TICK, a(), cron="30 9 * * mon-fri", count=3)
    assert schedule.next_time == datetime(2000, 1, 3, 9, 30, tzinfo=timezone.utc)
    await schedule.wait()
    monday = 2 * 86_400 + 9.5 * 3600
    assert record.times == [monday, monday + 86_400, monday + 2 * 86_400]


async def test_a_cron_expression_has_a_time_zone(runtime: Runtime) -> None:
    record = Record()
    a = await register(runtime, "a", record)
    zone = ZoneInfo("Asia/Tokyo")
    schedule = runtime.schedule(TICK, a(), cron="@daily", zone=zone, count=1)
    assert str(schedule.next_time) == "2000-01-02 00:00:00+09:00"
    await schedule.wait()
    assert record.times == [15 * 3600]


async def test_a_slow_handler_skips_times_of_a_cron_expression(runtime: Runtime) -> None:
    record = Record(150, 60)  # the second one ends exactly when the third one is due
    a = await register(runtime, "a", record)
    schedule = runtime.schedule(TICK, a(), cron="* * * * *", count=3)
    await schedule.wait()
    assert record.times == [60, 240, 300]
    assert schedule.skipped == 2


async def test_a_delay_leaves_out_times_of_a_cron_expression(runtime: Runtime) -> None:
    record = Record()
    a = await register(runtime, "a", record)
    await runtime.schedule(TICK, a(), cron="* * * * *", delay=150, count=1).wait()
    assert record.times == [180]


SetClock = Callable[[timedelta], None]


@pytest.fixture
async def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Sets the wall clock of the event loop forward or back, by what is given."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    right = loop.wall_time

    def set_by(error: timedelta) -> None:
        monkeypatch.setattr(loop, "wall_time", lambda: right() + error)

    return set_by


async def test_a_clock_that_is_set_back_repeats_no_time(
    runtime: Runtime, set_clock: SetClock
) -> None:
    record = Record()
    a = await register(runtime, "a", record)
    schedule = runtime.schedule(TICK, a(), cron="0 * * * *")
    await asyncio.sleep(3601)
    set_clock(timedelta(minutes=-30))
    await asyncio.sleep(3 * 3600)
    assert record.times == [3600, 2 * 3600 + 1800, 3 * 3600 + 1800]
    schedule.cancel()


async def test_a_clock_that_is_set_forward_is_noticed_within_an_hour(
    runtime: Runtime, set_clock: SetClock
) -> None:
    record = Record()
    a = await register(runtime, "a", record)
    schedule = runtime.schedule(TICK, a(), cron="@daily", count=1)
    await asyncio.sleep(60)
    set_clock(timedelta(days=2))
    await schedule.wait()
    assert record.times == [3600]


# Refused.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either every or cron"),
        ({"every": 1, "cron": "* * * * *"}, "either every or cron"),
        ({"every": 0}, "every must be"),
        ({"every": -1}, "every must be"),
        ({"every": float("nan")}, "every must be"),
        ({"every": float("inf")}, "every must be"),
        ({"every": 1, "delay": -1}, "delay must be"),
        ({"every": 1, "delay": float("nan")}, "delay must be"),
        ({"every": 1, "count": 0}, "count must be"),
        ({"every": 1, "count": 1.5}, "count must be"),
        ({"every": 1, "count": True}, "count must be"),
        ({"cron": "61 * * * *"}, "invalid minute"),
    ],
    ids=str,
)
async def test_options_are_checked(runtime: Runtime, options: Any, message: str) -> None:
    a = await register(runtime, "a")
    with pytest.raises(ValueError, match=message):
        runtime.schedule(TICK, a(), **options)


async def test_an_unknown_option_is_refused_at_once(runtime: Runtime) -> None:
    a = await register(runtime, "a")
    for to in (a(), TopicId("news", "one")):
        with pytest.raises(TypeError, match="colour"):
            runtime.schedule(TICK, to, every=1, colour="red")


async def test_a_schedule_is_for_an_agent_or_a_topic(runtime: Runtime) -> None:
    to: Any = "a/default"
    with pytest.raises(TypeError, match="an AgentId or a TopicId"):
        runtime.schedule(TICK, to, every=1)


async def test_a_closed_runtime_has_no_schedules() -> None:
    runtime = SingleThreadedAgentRuntime()
    await runtime.close()
    with pytest.raises(RuntimeStoppedError, match="closed"):
        runtime.schedule(TICK, AgentId("a", "x"), every=1)


def test_a_year_of_messages_takes_no_year() -> None:
    async def main() -> list[float]:
        record = Record()
        async with SingleThreadedAgentRuntime() as runtime:
            a = await register(runtime, "a", record)
            await runtime.schedule(TICK, a(), cron="@daily", count=366).wait()
        return record.times

    times = VirtualClock().run(main())
    assert times == [day * 86_400 for day in range(1, 367)]


async def test_the_state_is_shown(runtime: Runtime) -> None:
    a = await register(runtime, "a", Record(1))
    schedule = runtime.schedule(TICK, a("x"), every=10, count=1)
    assert repr(schedule) == (
        "<Schedule of Question to a/x: 0 sent, next at 2000-01-01 00:00:10+00:00>"
    )
    await asyncio.sleep(10.5)
    assert repr(schedule) == "<Schedule of Question to a/x: 1 sent, sending>"
    await schedule.wait()
    assert repr(schedule) == "<Schedule of Question to a/x: 1 sent, ended>"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"every": "1"}, "every must be a number of seconds greater than 0; got '1'"),
        ({"every": True}, "every must be a number of seconds greater than 0; got True"),
        ({"every": 1, "delay": "1"}, "delay must be a number of seconds of at least 0, or None"),
        ({"cron": "@daily", "zone": "UTC"}, "zone must be a tzinfo, .*; got 'UTC'"),
    ],
)
async def test_options_of_another_type_are_named(options, error):
    runtime = SingleThreadedAgentRuntime()
    with pytest.raises((ValueError, TypeError), match=error):
        runtime.schedule("hello", AgentId("a", "1"), **options)
    await runtime.close()
