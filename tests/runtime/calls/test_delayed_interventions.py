"""Intervention handlers that delay. The time is simulated."""

import asyncio

import pytest

from ferrogen import (
    DefaultInterventionHandler,
    Delay,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import RuntimeStoppedError

from ..function_agents import is_idle, register
from .clock import now


class Delays(DefaultInterventionHandler):
    def __init__(self, kind, *delays):
        self.kind, self.delays = kind, list(delays)

    def outcome(self, kind, message):
        return self.delays.pop(0) if kind == self.kind and self.delays else message

    async def on_send(self, message, **how):
        return self.outcome("send", message)

    async def on_publish(self, message, **how):
        return self.outcome("publish", message)

    async def on_response(self, message, **how):
        return self.outcome("response", message)


async def started(*handlers):
    runtime = SingleThreadedAgentRuntime(intervention_handlers=list(handlers))
    seen = []

    async def note(agent, message, ctx):
        seen.append((message, now()))
        return message

    clerk = await register(runtime, "clerk", note)
    await runtime.add_subscription(TypeSubscription("orders", "clerk"))
    runtime.start()
    return runtime, clerk(), seen


async def test_a_message_is_delayed_once():
    runtime, clerk, seen = await started(Delays("send", Delay(5)))
    began = now()
    assert await runtime.send_message("x", clerk) == "x"
    assert seen == [("x", pytest.approx(began + 5))]
    await runtime.close()


async def test_a_response_is_delayed():
    runtime, clerk, seen = await started(Delays("response", Delay(5)))
    began = now()
    assert await runtime.send_message("x", clerk) == "x"
    assert seen == [("x", began)]
    assert now() == pytest.approx(began + 5)
    await runtime.close()


async def test_a_published_message_is_delayed_and_may_be_changed():
    runtime, _, seen = await started(Delays("publish", Delay(5, "changed")))
    began = now()
    await runtime.publish_message("x", TopicId("orders", "default"))
    await runtime.stop_when_idle()
    assert seen == [("changed", pytest.approx(began + 5))]


async def test_delays_of_several_handlers_add_up():
    runtime, clerk, _ = await started(Delays("send", Delay(5)), Delays("send", Delay(2)))
    began = now()
    await runtime.send_message("x", clerk)
    assert now() == pytest.approx(began + 7)
    await runtime.close()


async def test_other_messages_overtake_a_delayed_one():
    runtime, clerk, seen = await started(Delays("send", Delay(5)))
    slow = asyncio.ensure_future(runtime.send_message("slow", clerk))
    await asyncio.sleep(0)
    await runtime.send_message("fast", clerk)
    await slow
    assert [message for message, _ in seen] == ["fast", "slow"]
    await runtime.close()


async def test_a_runtime_that_stops_refuses_a_delayed_message_but_delivers_a_response():
    runtime, clerk, _ = await started(Delays("send", Delay(5)), Delays("response", Delay(9)))
    refused = asyncio.ensure_future(runtime.send_message("refused", clerk))
    await asyncio.sleep(0)
    delivered = asyncio.ensure_future(runtime.send_message("delivered", clerk))
    await asyncio.sleep(0)
    await asyncio.sleep(1)
    await runtime.stop()
    with pytest.raises(RuntimeStoppedError):
        await refused
    assert await delivered == "delivered"
    assert is_idle(runtime)
