"""The life cycle of a runtime: order, starting, stopping and halting."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    SingleThreadedAgentRuntime,
    Subscription,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import AgentNotFoundError, RuntimeStoppedError

from .function_agents import (
    Doing,
    Gate,
    boom,
    is_idle,
    is_started,
    register,
    tally,
    until,
    until_idle,
)

Runtime = SingleThreadedAgentRuntime
NEWS = TopicId("news", "default")


async def register_subscribers(runtime: Runtime, *names: str) -> list[Any]:
    """Register agents that record the messages they receive."""
    received: list[Any] = []

    async def note(agent: Doing, message: Any, ctx: Any) -> None:
        received.append((agent.id.type, message))

    for name in names:
        await register(runtime, name, note)
        await runtime.add_subscription(TypeSubscription("news", name))
    return received


async def test_messages_are_taken_in_the_order_of_acceptance(runtime: Runtime) -> None:
    received = await register_subscribers(runtime, "a", "b")
    for number in range(3):
        await runtime.publish_message(number, NEWS)
    await runtime.stop_when_idle()
    assert received == [(name, number) for number in range(3) for name in "ab"]


async def test_a_publisher_does_not_receive_its_own_message(runtime: Runtime) -> None:
    received = await register_subscribers(runtime, "a", "b")
    await runtime.publish_message("x", NEWS, sender=AgentId("a", "default"))
    await runtime.stop_when_idle()
    assert received == [("b", "x")]


async def test_an_unregistered_subscriber_does_not_affect_the_others(
    runtime: Runtime, caplog: Any
) -> None:
    await runtime.add_subscription(TypeSubscription("news", "unregistered"))
    received = await register_subscribers(runtime, "a")
    with caplog.at_level(logging.ERROR):
        await runtime.publish_message("x", NEWS)
        await runtime.stop_when_idle()
    assert received == [("a", "x")]
    assert "has a subscriber that is not registered" in caplog.text
    (letter,) = runtime.dead_letters
    assert (letter.receiver, type(letter.reason)) == (
        AgentId("unregistered", "default"),
        AgentNotFoundError,
    )


async def test_a_subscription_that_raises_fails_only_its_message(runtime: Runtime) -> None:
    class Broken(Subscription):
        id = "broken"

        def is_match(self, topic_id: TopicId) -> bool:
            raise ZeroDivisionError

        def map_to_agent(self, topic_id: TopicId) -> AgentId:
            raise AssertionError("never asked")

    received = await register_subscribers(runtime, "a")
    await runtime.add_subscription(Broken())
    await runtime.publish_message("lost", NEWS)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await runtime.remove_subscription("broken")
    await runtime.publish_message("x", NEWS)
    await runtime.stop_when_idle()
    assert received == [("a", "x")]
    assert tally(runtime)["failed"] == 1


async def test_a_topic_source_that_no_agent_can_have_fails_only_its_message(
    runtime: Runtime,
) -> None:
    received = await register_subscribers(runtime, "a")
    await runtime.publish_message("lost", TopicId("news", "caf\udce9"))
    await runtime.publish_message("x", NEWS)
    await runtime.stop_when_idle()
    assert received == [("a", "x")]


async def test_manual_processing_takes_one_message_at_a_time() -> None:
    runtime = SingleThreadedAgentRuntime()
    received = await register_subscribers(runtime, "a")
    for number in range(3):
        await runtime.publish_message(number, NEWS)
    assert runtime.unprocessed_messages_count == 3
    for left in (2, 1, 0):
        await runtime.process_next()
        assert runtime.unprocessed_messages_count == left
    await until_idle(runtime)
    assert received == [("a", 0), ("a", 1), ("a", 2)]


async def test_two_waiters_in_process_next_both_get_a_message() -> None:
    runtime = SingleThreadedAgentRuntime()
    waiting = [asyncio.ensure_future(runtime.process_next()) for _ in range(2)]
    await asyncio.sleep(0)
    for _ in waiting:
        await runtime.publish_message("x", NEWS)
    await asyncio.gather(*waiting)
    assert is_idle(runtime)


async def test_stopping_lets_running_handlers_respond(runtime: Runtime) -> None:
    gate = Gate()
    a = await register(runtime, "a", gate)
    runtime.set_agent_options("a", AgentOptions(concurrency=1))
    running = asyncio.ensure_future(runtime.send_message("running", a()))
    await gate.arrived.get()
    waiting = asyncio.ensure_future(runtime.send_message("waiting", a()))
    await asyncio.sleep(0)
    await runtime.stop()
    with pytest.raises(RuntimeStoppedError, match="stopped before the message was handled"):
        await waiting
    gate.open.set()
    assert await running == "running"
    assert is_idle(runtime)


async def test_responses_from_before_a_restart_reach_their_senders_after_it(
    runtime: Runtime,
) -> None:
    gate = Gate()
    a = await register(runtime, "a", gate)
    running = asyncio.ensure_future(runtime.send_message("running", a()))
    await gate.arrived.get()
    await runtime.stop()
    runtime.start()
    gate.open.set()
    assert await running == "running"
    assert await runtime.send_message("new", a()) == "new"


async def test_a_stopped_runtime_keeps_what_it_accepts_until_it_is_started(
    runtime: Runtime,
) -> None:
    received = await register_subscribers(runtime, "a")
    await runtime.stop()
    await runtime.publish_message("x", NEWS)
    assert received == []
    runtime.start()
    await runtime.stop_when_idle()
    assert received == [("a", "x")]


async def test_an_unhandled_error_halts_a_strict_runtime_and_is_raised_once() -> None:
    runtime = SingleThreadedAgentRuntime(ignore_unhandled_exceptions=False)
    await register(runtime, "a", boom)
    await runtime.add_subscription(TypeSubscription("news", "a"))
    runtime.start()
    await runtime.publish_message("x", NEWS)
    await until(lambda: not is_started(runtime))
    with pytest.raises(RuntimeStoppedError, match="the runtime has halted") as refused:
        await runtime.publish_message("y", NEWS)
    assert isinstance(refused.value.__cause__, KeyError)
    with pytest.raises(KeyError, match="x"):
        await runtime.stop_when_idle()
    runtime.start()
    await runtime.stop_when_idle()


async def test_an_error_of_a_sent_message_halts_nothing() -> None:
    runtime = SingleThreadedAgentRuntime(ignore_unhandled_exceptions=False)
    a = await register(runtime, "a", boom)
    runtime.start()
    with pytest.raises(KeyError):
        await runtime.send_message("x", a())
    await runtime.stop_when_idle()


async def test_two_stops_at_once_both_return(runtime: Runtime) -> None:
    await asyncio.gather(runtime.stop(), runtime.stop())
    runtime.start()
    received = await register_subscribers(runtime, "a")
    await runtime.publish_message("x", NEWS)
    await runtime.stop_when_idle()
    assert received == [("a", "x")]


async def test_closing_a_runtime_that_never_started_notifies_its_senders() -> None:
    runtime = SingleThreadedAgentRuntime()
    await register_subscribers(runtime, "a")
    asked = asyncio.ensure_future(runtime.send_message("x", AgentId("a", "default")))
    await until(lambda: runtime.unprocessed_messages_count == 1)
    await runtime.close()
    with pytest.raises(RuntimeStoppedError):
        await asked


async def test_all_who_wait_for_idleness_continue_when_the_last_message_is_settled(
    runtime: Runtime,
) -> None:
    gate = Gate()
    a = await register(runtime, "a", gate)
    asking = [asyncio.ensure_future(runtime.send_message(n, a())) for n in range(2)]
    for _ in asking:
        await gate.arrived.get()
    waiting = [asyncio.ensure_future(runtime.stop_when_idle()) for _ in range(2)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(one.done() for one in waiting)
    gate.open.set()
    await asyncio.wait_for(asyncio.gather(*waiting), 150)
    assert await asyncio.gather(*asking) == [0, 1]


async def test_a_cancelled_wait_for_idleness_leaves_the_runtime_running(runtime: Runtime) -> None:
    gate = Gate()
    a = await register(runtime, "a", gate)
    asking = asyncio.ensure_future(runtime.send_message("x", a()))
    await gate.arrived.get()
    waiting = asyncio.ensure_future(runtime.stop_when_idle())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert is_started(runtime)
    gate.open.set()
    assert await asking == "x"
    await asyncio.wait_for(runtime.stop_when_idle(), 150)


async def test_a_sender_that_sends_again_keeps_the_runtime_from_being_idle(
    runtime: Runtime,
) -> None:
    gate = Gate()
    a = await register(runtime, "a", gate)

    async def send_twice() -> list[Any]:
        return [await runtime.send_message(n, a()) for n in range(2)]

    asking = asyncio.ensure_future(send_twice())
    await gate.arrived.get()
    waiting = asyncio.ensure_future(runtime.stop_when_idle())
    await asyncio.sleep(0)
    gate.open.set()
    assert await asyncio.wait_for(asking, 150) == [0, 1]
    await asyncio.wait_for(waiting, 150)
