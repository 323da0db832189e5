"""Delayed messages. The time is simulated."""

import asyncio

import pytest

from ferrogen import (
    DeadLetterCause,
    DefaultInterventionHandler,
    Delay,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import DeadlineExceededError, RuntimeStoppedError

from ..function_agents import is_idle, register, until
from .clock import now


@pytest.fixture
async def runtime():
    async with SingleThreadedAgentRuntime() as runtime:
        yield runtime


async def started(runtime):
    """An agent that notes when it gets a message, and what it has noted."""
    seen = []

    async def note(agent, message, ctx):
        seen.append((message, now()))
        return message

    clerk = await register(runtime, "clerk", note)
    await runtime.add_subscription(TypeSubscription("orders", "clerk"))
    return clerk(), seen


async def test_a_message_is_handled_after_its_delay(runtime):
    clerk, seen = await started(runtime)
    began = now()
    assert await runtime.send_message("later", clerk, delay=30) == "later"
    assert seen == [("later", pytest.approx(began + 30))]


async def test_a_timer_that_fires_early_by_the_rounding_of_the_clock_is_not_set_again(runtime):
    clerk, seen = await started(runtime)
    loop = asyncio.get_running_loop()
    await asyncio.sleep(1)
    sending = asyncio.ensure_future(runtime.send_message("later", clerk, delay=1))
    # Within the resolution of the clock before the engine's timer, which fires in the same turn.
    before = loop.create_future()
    loop.call_at(2 - 0.7e-9, before.set_result, None)
    await before
    for _ in range(20):  # no time passes
        await asyncio.sleep(0)
    assert now() < 2
    assert [message for message, _ in seen] == ["later"]
    assert await sending == "later"


async def test_a_message_with_a_delay_is_overtaken(runtime):
    clerk, seen = await started(runtime)
    slow = asyncio.ensure_future(runtime.send_message("slow", clerk, delay=10))
    await asyncio.sleep(0)
    assert await runtime.send_message("fast", clerk) == "fast"
    assert await slow == "slow"
    assert [message for message, _ in seen] == ["fast", "slow"]


async def test_publishing_with_a_delay_ends_at_once(runtime):
    _, seen = await started(runtime)
    began = now()
    await runtime.publish_message("later", TopicId("orders", "default"), delay=30)
    assert (now(), seen, is_idle(runtime)) == (began, [], False)
    await runtime.stop_when_idle()
    assert seen == [("later", pytest.approx(began + 30))]
    runtime.start()


async def test_messages_are_handled_in_the_order_of_their_times(runtime):
    clerk, seen = await started(runtime)
    delays = [3, 1, 2, 1, 0]
    sends = [runtime.send_message(number, clerk, delay=one) for number, one in enumerate(delays)]
    await asyncio.gather(*sends)
    assert [message for message, _ in seen] == [4, 1, 3, 2, 0]


async def test_the_deadline_of_a_message_counts_from_its_sending(runtime):
    clerk, seen = await started(runtime)
    began = now()
    assert await runtime.send_message("in time", clerk, delay=5, timeout=6) == "in time"
    assert seen == [("in time", pytest.approx(began + 5))]


async def test_a_runtime_that_stops_makes_delayed_messages_dead_letters(runtime):
    clerk, seen = await started(runtime)
    send = asyncio.ensure_future(runtime.send_message("never", clerk, delay=1e6))
    await runtime.publish_message("nor this", TopicId("orders", "default"), delay=1e6)
    await asyncio.sleep(0)
    await runtime.stop()
    with pytest.raises(RuntimeStoppedError):
        await send
    causes = [(letter.message, letter.cause) for letter in runtime.dead_letters]
    stopped = DeadLetterCause.RUNTIME_STOPPED
    assert sorted(causes) == [("never", stopped), ("nor this", stopped)]
    assert is_idle(runtime)
    assert seen == []
    runtime.start()


async def test_cancelling_a_sender_does_not_take_its_delayed_message_back(runtime):
    clerk, seen = await started(runtime)
    send = asyncio.ensure_future(runtime.send_message("kept", clerk, delay=5))
    await asyncio.sleep(0)
    send.cancel()
    await runtime.stop_when_idle()
    assert [message for message, _ in seen] == ["kept"]
    runtime.start()


async def test_intervention_handlers_see_a_delayed_message_when_it_is_queued():
    times = []

    class Notes(DefaultInterventionHandler):
        async def on_send(self, message, **how):
            times.append(now())
            return message

    async with SingleThreadedAgentRuntime(intervention_handlers=[Notes()]) as runtime:
        clerk, _ = await started(runtime)
        began = now()
        await runtime.send_message("later", clerk, delay=7)
        assert times == [pytest.approx(began + 7)]


async def test_a_delayed_message_is_taken_by_hand():
    runtime = SingleThreadedAgentRuntime()
    clerk, seen = await started(runtime)
    send = asyncio.ensure_future(runtime.send_message("later", clerk, delay=7))
    began = now()
    await asyncio.sleep(0)
    await runtime.process_next()
    await until(lambda: seen)
    assert seen == [("later", pytest.approx(began + 7))]
    await runtime.process_next()
    assert await send == "later"
    await runtime.close()


async def test_a_delay_that_does_not_pass_before_the_deadline_is_refused(runtime):
    clerk, _ = await started(runtime)
    with pytest.raises(ValueError, match=r"delay must be shorter than timeout \(1 s\).* got 2 s"):
        await runtime.send_message("x", clerk, delay=2, timeout=1)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (-1, ValueError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        ("soon", TypeError),
        (True, TypeError),
    ],
)
async def test_an_invalid_delay_is_refused(runtime, given, error):
    clerk, seen = await started(runtime)
    with pytest.raises(error, match="delay must be a number of seconds of at least 0"):
        await runtime.send_message("x", clerk, delay=given)
    assert seen == []


async def test_a_message_whose_deadline_passes_in_the_delay_of_an_intervention_is_not_handled():
    class Delays(DefaultInterventionHandler):
        async def on_send(self, message, **how):
            return Delay(10)

    async with SingleThreadedAgentRuntime(intervention_handlers=[Delays()]) as runtime:
        clerk, seen = await started(runtime)
        with pytest.raises(DeadlineExceededError):
            await runtime.send_message("late", clerk, timeout=5)
        await runtime.stop_when_idle()
        assert seen == []
        runtime.start()
