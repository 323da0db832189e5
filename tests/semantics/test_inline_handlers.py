"""Inline handlers: cases that only occur when a handler runs inside its sender."""

import asyncio
import functools
import gc
import sys
import weakref
from typing import Any

import pytest

from .scenario import Ask, until, yield_to_loop


async def test_a_send_does_not_overtake_a_publish_that_was_just_taken(scenario):
    started = []

    async def handler(self, message, ctx):
        started.append(message.value)

    await scenario.agent("a", handler, topic="t")
    scenario.start()
    for pauses in range(6):
        started.clear()
        await scenario.publish("t", "published")
        await yield_to_loop(pauses)
        await scenario.ask("a", "sent")
        await until(lambda: len(started) == 2)
        assert started == ["published", "sent"], pauses


async def test_a_wrapper_around_a_handler_runs_each_time(scenario):
    calls = []

    def counted(handler):
        @functools.wraps(handler)
        async def wrapper(self, message, ctx):
            calls.append(message.value)
            return await handler(self, message, ctx)

        return wrapper

    async def handle(self, message, ctx):
        return message.value

    core = scenario.core
    handle.__annotations__ = {"message": Ask, "ctx": core.MessageContext, "return": Any}
    members = {"handle": counted(core.message_handler(handle))}
    agent_class = type("Wrapped", (core.RoutedAgent,), members)
    await scenario.runtime.register_factory("a", lambda: agent_class("is wrapped"))
    scenario.start()
    assert [await scenario.ask("a", number) for number in range(3)] == [0, 1, 2]
    assert calls == [0, 1, 2]


@pytest.mark.parametrize("method", ["on_message", "on_message_impl"])
async def test_an_instance_can_override_the_method_for_messages(scenario, method):
    async def handler(self, message, ctx):
        return "the class's"

    async def own(message, ctx):
        return "the agent's"

    await scenario.agent("a", handler, keys=["one", "other"])
    agent = await scenario.runtime.try_get_underlying_agent_instance(scenario.id("a", "one"))
    setattr(agent, method, own)
    scenario.start()
    for _ in range(3):
        assert await scenario.ask("a", key="one") == "the agent's"
        assert await scenario.ask("a", key="other") == "the class's"


async def test_options_set_while_messages_are_handled_apply(scenario):
    if scenario.is_upstream:
        pytest.skip("upstream has no options")

    async def handler(self, message, ctx):
        return self

    await scenario.agent("a", handler)
    scenario.start()
    agent = weakref.ref(await scenario.ask("a"))
    scenario.runtime.set_agent_options("a", scenario.core.AgentOptions(passivate_after=0.001))
    await scenario.ask("a")

    def is_gone():
        gc.collect()
        return agent() is None

    await until(is_gone)


async def test_a_send_abandoned_by_an_exception_only_warns(scenario):
    async def handler(self, message, ctx):
        return None

    await scenario.agent("a", handler)
    scenario.start()
    with pytest.warns(RuntimeWarning, match="never awaited"), pytest.raises(KeyError):
        print(scenario.ask("a"), {}["missing"])


async def test_a_warning_about_an_abandoned_send_does_not_hide_an_error(scenario, monkeypatch):
    if scenario.mode != "inline":
        pytest.skip("a Python coroutine reports it differently")
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reported.append(report.exc_value))
    with pytest.raises(KeyError):
        print(scenario.ask("a"), {}["missing"])
    assert [type(error) for error in reported] == [RuntimeWarning]


async def test_a_handler_that_cannot_be_suspended_fails(scenario):
    """The sender gets the error, and no message is left unsettled."""
    if scenario.mode != "inline":
        pytest.skip("only an inline handler is moved to a task")
    left = []

    async def handler(self, message, ctx):
        try:
            await asyncio.sleep(0)
        finally:
            left.append(message.value)

    class Broken(scenario.core.CancellationToken):
        def link_future(self, future):
            raise OSError("broken")

    await scenario.agent("a", handler)
    scenario.start()
    with pytest.raises(OSError, match="broken"):
        await scenario.ask("a", 1, cancellation_token=Broken())
    assert left == [1]
    await scenario.idle()


def at_depth(depth, function):
    return at_depth(depth - 1, function) if depth else function()


@pytest.mark.parametrize("suspends", [False, True])
async def test_a_stack_overflow_leaves_a_consistent_state(scenario, suspends):
    if scenario.is_upstream:
        pytest.skip("upstream runs no handler on its sender's stack")

    async def handler(self, message, ctx):
        if message.value:
            await self.send_message(Ask(message.value - 1), scenario.id("a"))
        if suspends:
            await asyncio.sleep(0)

    await scenario.agent("a", handler)
    scenario.start()
    mine, outcomes = asyncio.current_task(), set()
    for depth in range(0, sys.getrecursionlimit(), 7):
        send = scenario.runtime.send_message(Ask(2), scenario.id("a"))
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
        await yield_to_loop(2)
    assert "too deep" in outcomes
    assert len(outcomes) > 1
    await scenario.idle()


async def test_an_unreferenced_agent_class_is_freed(scenario):
    if scenario.is_upstream:
        pytest.skip("upstream keeps no record of classes")

    def cell_to_itself():
        core = scenario.core

        class Agent(core.RoutedAgent):
            def __init__(self):
                super().__init__("its handler knows its class")

            @core.message_handler
            async def handle(self, message: Ask, ctx: core.MessageContext) -> Any:
                return super().metadata

        return Agent

    agent_class = cell_to_itself()
    await scenario.runtime.register_factory("a", agent_class)
    scenario.start()
    for _ in range(3):
        await scenario.ask("a")
    await scenario.idle()
    gone = weakref.ref(agent_class)
    del agent_class
    scenario.rebuild()
    await yield_to_loop()
    gc.collect()
    assert gone() is None


async def test_a_context_that_a_handler_keeps_is_not_reused(scenario):
    kept = []

    async def keeps(self, message, ctx):
        kept.append((ctx, ctx.message_id))

    async def forgets(self, message, ctx):
        return ctx.message_id

    await scenario.agent("keeps", keeps)
    await scenario.agent("forgets", forgets)
    scenario.start()
    for number in range(3):
        await scenario.ask("keeps", message_id=f"kept-{number}")
        assert await scenario.ask("forgets", message_id=f"other-{number}") == f"other-{number}"
    await scenario.idle()
    assert [ctx.message_id for ctx, _ in kept] == [message_id for _, message_id in kept]
    assert [message_id for _, message_id in kept] == ["kept-0", "kept-1", "kept-2"]
