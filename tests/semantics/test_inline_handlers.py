"""Inline handlers: cases that only occur when a handler runs inside its sender."""

import asyncio
import functools
import gc
import sys
import weakref
from typing import Any

import pytest

from .world import Ask, turns, until


async def test_a_send_does_not_overtake_a_publish_that_was_just_taken(world):
    started = []

    async def handler(self, message, ctx):
        started.append(message.value)

    await world.agent("a", handler, topic="t")
    world.start()
    for pauses in range(6):
        started.clear()
        await world.publish("t", "published")
        await turns(pauses)
        await world.ask("a", "sent")
        await until(lambda: len(started) == 2)
        assert started == ["published", "sent"], pauses


async def test_a_wrapper_around_a_handler_runs_each_time(world):
    calls = []

    def counted(handler):
        @functools.wraps(handler)
        async def wrapper(self, message, ctx):
            calls.append(message.value)
            return await handler(self, message, ctx)

        return wrapper

    async def handle(self, message, ctx):
        return message.value

    core = world.core
    handle.__annotations__ = {"message": Ask, "ctx": core.MessageContext, "return": Any}
    members = {"handle": counted(core.message_handler(handle))}
    agent_class = type("Wrapped", (core.RoutedAgent,), members)
    await world.runtime.register_factory("a", lambda: agent_class("is wrapped"))
    world.start()
    assert [await world.ask("a", number) for number in range(3)] == [0, 1, 2]
    assert calls == [0, 1, 2]


@pytest.mark.parametrize("method", ["on_message", "on_message_impl"])
async def test_an_instance_can_override_the_method_for_messages(world, method):
    async def handler(self, message, ctx):
        return "the class's"

    async def own(message, ctx):
        return "the agent's"

    await world.agent("a", handler, keys=["one", "other"])
    agent = await world.runtime.try_get_underlying_agent_instance(world.id("a", "one"))
    setattr(agent, method, own)
    world.start()
    for _ in range(3):
        assert await world.ask("a", key="one") == "the agent's"
        assert await world.ask("a", key="other") == "the class's"


async def test_options_set_while_messages_are_handled_apply(world):
    if world.is_upstream:
        pytest.skip("upstream has no options")

    async def handler(self, message, ctx):
        return self

    await world.agent("a", handler)
    world.start()
    agent = weakref.ref(await world.ask("a"))
    world.runtime.set_agent_options("a", world.core.AgentOptions(passivate_after=0.001))
    await world.ask("a")

    def is_gone():
        gc.collect()
        return agent() is None

    await until(is_gone)


async def test_a_send_abandoned_by_an_exception_only_warns(world):
    async def handler(self, message, ctx):
        return None

    await world.agent("a", handler)
    world.start()
    with pytest.warns(RuntimeWarning, match="never awaited"), pytest.raises(KeyError):
        print(world.ask("a"), {}["missing"])


async def test_a_warning_about_an_abandoned_send_does_not_hide_an_error(world, monkeypatch):
    if world.mode != "native":
        pytest.skip("a Python coroutine reports it differently")
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reported.append(report.exc_value))
    with pytest.raises(KeyError):
        print(world.ask("a"), {}["missing"])
    assert [type(error) for error in reported] == [RuntimeWarning]


async def test_a_handler_that_cannot_be_suspended_fails(world):
    """The sender gets the error, and no message is left unsettled."""
    if world.mode != "native":
        pytest.skip("only an inline handler is moved to a task")
    left = []

    async def handler(self, message, ctx):
        try:
            await asyncio.sleep(0)
        finally:
            left.append(message.value)

    class Broken(world.core.CancellationToken):
        def link_future(self, future):
            raise OSError("broken")

    await world.agent("a", handler)
    world.start()
    with pytest.raises(OSError, match="broken"):
        await world.ask("a", 1, cancellation_token=Broken())
    assert left == [1]
    await world.idle()


def at_depth(depth, function):
    return at_depth(depth - 1, function) if depth else function()


@pytest.mark.parametrize("suspends", [False, True])
async def test_a_stack_overflow_leaves_a_consistent_state(world, suspends):
    if world.is_upstream:
        pytest.skip("upstream runs no handler on its sender's stack")

    async def handler(self, message, ctx):
        if message.value:
            await self.send_message(Ask(message.value - 1), world.id("a"))
        if suspends:
            await asyncio.sleep(0)

    await world.agent("a", handler)
    world.start()
    mine, outcomes = asyncio.current_task(), set()
    for depth in range(0, sys.getrecursionlimit(), 7):
        send = world.runtime.send_message(Ask(2), world.id("a"))
        try:
            at_depth(depth, functools.partial(send.send, None))
        except StopIteration:
            outcomes.add("ended")
        except RecursionError:
            outcomes.add("too deep")
        else:
            outcomes.add("suspended")
        send.close()
        assert asyncio.current_task() is mine
        await turns(2)
    assert "too deep" in outcomes
    assert len(outcomes) > 1
    await world.idle()


async def test_an_unreferenced_agent_class_is_freed(world):
    if world.is_upstream:
        pytest.skip("upstream keeps no record of classes")

    def cell_to_itself():
        core = world.core

        class Agent(core.RoutedAgent):
            def __init__(self):
                super().__init__("its handler knows its class")

            @core.message_handler
            async def handle(self, message: Ask, ctx: core.MessageContext) -> Any:
                return super().metadata

        return Agent

    agent_class = cell_to_itself()
    await world.runtime.register_factory("a", agent_class)
    world.start()
    for _ in range(3):
        await world.ask("a")
    await world.idle()
    gone = weakref.ref(agent_class)
    del agent_class
    world.rebuild()
    await turns()
    gc.collect()
    assert gone() is None


async def test_a_context_that_a_handler_keeps_is_not_reused(world):
    kept = []

    async def keeps(self, message, ctx):
        kept.append((ctx, ctx.message_id))

    async def forgets(self, message, ctx):
        return ctx.message_id

    await world.agent("keeps", keeps)
    await world.agent("forgets", forgets)
    world.start()
    for number in range(3):
        await world.ask("keeps", message_id=f"kept-{number}")
        assert await world.ask("forgets", message_id=f"other-{number}") == f"other-{number}"
    await world.idle()
    assert [ctx.message_id for ctx, _ in kept] == [message_id for _, message_id in kept]
    assert [message_id for _, message_id in kept] == ["kept-0", "kept-1", "kept-2"]
