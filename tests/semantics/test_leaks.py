"""Leaks: every object of a message is freed when the message is settled."""

import asyncio
import gc
import logging
import sys
import weakref
from contextlib import suppress

import pytest

from .scenario import Ask, until, yield_to_loop


def many(scenario):
    """How many messages show that something piles up; upstream takes its time."""
    return 500 if scenario.is_upstream else 2_000


async def suspending_agent(scenario):
    async def handler(self, message, ctx):
        if message.value == "agent":
            await self.send_message(Ask("future"), scenario.id("b"))
        elif message.value == "future":
            future = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(future.set_result, None)
            await future
        elif message.value == "raise":
            await asyncio.sleep(0)
            raise ValueError
        elif message.value == "cancel":
            asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)
            await asyncio.sleep(0)
        elif message.value == "yields":
            await asyncio.sleep(0)
        return message.value

    await scenario.agent("a", handler, topic="t")
    await scenario.agent("b", handler)
    scenario.start()


@pytest.mark.parametrize("how", ["through", "yields", "future", "agent", "raise", "cancel"])
async def test_no_objects_pile_up(scenario, how):
    await suspending_agent(scenario)

    async def send_many(count):
        for _ in range(count):
            with suppress(ValueError, asyncio.CancelledError):
                await scenario.ask("a", how)
        await yield_to_loop()
        gc.collect()

    await send_many(50)
    before = len(gc.get_objects())
    await send_many(many(scenario))
    assert len(gc.get_objects()) - before < many(scenario) / 10


async def test_no_objects_pile_up_in_gathers_and_publishes(scenario):
    await suspending_agent(scenario)

    async def send_many(count):
        for _ in range(count // 100):
            await asyncio.gather(*(scenario.ask("a", "yields") for _ in range(50)))
            for _ in range(50):
                await scenario.publish("t", "yields")
            await yield_to_loop(150)
        gc.collect()

    await send_many(200)
    before = len(gc.get_objects())
    await send_many(many(scenario))
    assert len(gc.get_objects()) - before < many(scenario) / 10


@pytest.mark.parametrize("how", ["through", "yields", "future", "agent"])
async def test_reference_counts_are_what_they_were(scenario, how):
    """Also for what the collector does not see."""
    await suspending_agent(scenario)
    message, recipient = Ask(how), scenario.id("a")

    async def send_many(count):
        for _ in range(count):
            await scenario.runtime.send_message(message, recipient)
        await yield_to_loop()
        gc.collect()

    await send_many(20)
    observed = [message, recipient, asyncio.get_running_loop(), scenario.runtime, None.__class__]
    before = [sys.getrefcount(thing) for thing in observed]
    await send_many(500)
    for count, was in zip([sys.getrefcount(thing) for thing in observed], before, strict=True):
        assert abs(count - was) < 50


@pytest.mark.parametrize("suspend", [False, True])
async def test_messages_responses_and_tasks_are_freed(scenario, suspend):
    alive = weakref.WeakSet()

    async def handler(self, message, ctx):
        alive.add(message)
        alive.add(asyncio.current_task())
        alive.add(ctx.cancellation_token)
        if suspend:
            await asyncio.sleep(0)
        response = Ask()
        alive.add(response)
        return response

    await scenario.agent("a", handler, topic="t")
    scenario.start()
    for _ in range(100):
        await scenario.ask("a")
        await scenario.publish("t")
    await yield_to_loop(200)
    gc.collect()
    # The newest ones may be kept for reuse.
    assert len(alive) <= 20


async def test_a_failed_handler_keeps_nothing_once_its_error_is_gone(scenario, monkeypatch):
    # What is logged is kept by pytest.
    monkeypatch.setattr(logging.getLogger("autogen_core"), "disabled", True)
    alive = weakref.WeakSet()

    async def handler(self, message, ctx):
        alive.add(message)
        await asyncio.sleep(0)
        raise ValueError

    await scenario.agent("a", handler, topic="t")
    scenario.start()
    for _ in range(100):
        with pytest.raises(ValueError, match=r"^$"):
            await scenario.ask("a")
        await scenario.publish("t")
    await yield_to_loop(200)
    if not scenario.is_upstream:
        # A published message whose handler has failed is a dead letter, as long as that is kept.
        assert scenario.runtime.dead_letters.purge() == 100
    gc.collect()
    assert len(alive) <= 5


async def test_an_unreferenced_runtime_is_freed_with_its_agents(scenario):
    freed = []

    async def handler(self, message, ctx):
        await asyncio.sleep(0)

    await scenario.agent("a", handler)
    scenario.start()
    await scenario.ask("a")
    agent = await scenario.runtime.try_get_underlying_agent_instance(scenario.id("a"))
    weakref.finalize(agent, freed.append, "agent")
    weakref.finalize(scenario.runtime, freed.append, "runtime")
    del agent
    await scenario.idle()
    scenario.rebuild()
    await yield_to_loop()
    gc.collect()
    assert sorted(freed) == ["agent", "runtime"]


async def test_suspended_handlers_are_kept_alive_without_other_references(scenario):
    """A loop has weak references to tasks only: the runtime must hold those of its handlers."""
    ended, futures = [], weakref.WeakSet()

    async def handler(self, message, ctx):
        future = asyncio.get_running_loop().create_future()
        futures.add(future)
        await future
        ended.append(message.value)

    await scenario.agent("a", handler, topic="t")
    scenario.start()
    for number in range(10):
        await scenario.publish("t", number)
    await until(lambda: len(futures) == 10)
    gc.collect()
    await yield_to_loop()
    assert len(futures) == 10
    for future in list(futures):
        future.set_result(None)
    del future
    await until(lambda: len(ended) == 10)
