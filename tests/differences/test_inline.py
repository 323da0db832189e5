"""Handlers that run inline, and what a program can observe of it."""

import asyncio
import collections.abc
import copy
import dataclasses
import inspect
import sys
from typing import Any
from unittest import mock

import pytest
from tests.compat.harness import OURS, UPSTREAM, both, play, yield_to_loop


@pytest.fixture(autouse=True)
def inline(monkeypatch):
    """These differences are those of inline handlers: task mode does not have most of them."""
    monkeypatch.delenv("FERROGEN_PLAIN_TASKS", raising=False)


async def started(core, handler, *, key="k", **options):
    """Return a runtime and the id of an agent that handles text by this function, and is built."""

    async def handle(self, message, ctx):
        return await handler(self, message, ctx)

    handle.__annotations__ = {"message": str, "ctx": core.MessageContext, "return": Any}
    agent_class = type("Agent", (core.RoutedAgent,), {"handle": core.message_handler(handle)})
    runtime = core.SingleThreadedAgentRuntime(**options)
    await runtime.register_factory("agent", lambda: agent_class("runs one function"))
    await runtime.get("agent", key, lazy=False)
    runtime.start()
    return runtime, core.AgentId("agent", key), agent_class


async def echo(agent, message, ctx):
    return message


class LoopIterations:
    """Counts the iterations of the event loop within its block."""

    def __init__(self):
        self.count = 0

    async def __aenter__(self):
        self._counting = asyncio.create_task(self._keep_counting())
        await yield_to_loop(2)
        return self

    async def __aexit__(self, *error):
        self._counting.cancel()

    async def _keep_counting(self):
        while True:
            self.count += 1
            await asyncio.sleep(0)


def test_a_send_need_not_yield_to_the_event_loop():
    async def scenario(core, record):
        runtime, agent, _ = await started(core, echo)
        passed = []
        async with LoopIterations() as iterations:
            for _ in range(1000):
                before = iterations.count
                await runtime.send_message("x", agent)
                passed.append(iterations.count - before)
        record("each message yields", min(passed) > 0)
        record("some of 1000 do", max(passed) > 0)
        await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    assert upstream == [["each message yields", True], ["some of 1000 do", True]]
    assert ours == [["each message yields", False], ["some of 1000 do", True]]


def test_a_handler_has_the_head_room_that_its_sender_leaves():
    limit = sys.getrecursionlimit()

    def dig(depth):
        return depth and 1 + dig(depth - 1)

    async def handler(agent, message, ctx):
        return dig(limit * 7 // 10)

    async def scenario(core, record):
        runtime, agent, _ = await started(core, handler)

        async def descend(depth):
            if depth:
                return await descend(depth - 1)
            return await runtime.send_message("x", agent)

        # In tasks: the stack of the test itself does not count.
        await record.outcome("flat", asyncio.create_task(descend(0)))
        deep = asyncio.create_task(descend(limit * 4 // 10))
        await record.outcome("deep", deep, words=False)
        await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    done = limit * 7 // 10
    assert upstream == [["flat", done], ["deep", done]]
    assert ours == [["flat", done], ("deep", "raised RecursionError")]


def test_what_send_message_returns_is_a_coroutine_to_asyncio_and_not_to_inspect():
    async def scenario(core, record):
        runtime, agent, _ = await started(core, echo)
        send = runtime.send_message("x", agent)
        record(asyncio.iscoroutine(send), inspect.isawaitable(send))
        record(isinstance(send, collections.abc.Coroutine))
        record(inspect.iscoroutine(send), inspect.iscoroutinefunction(runtime.send_message))
        record(await asyncio.create_task(send))
        publish = runtime.publish_message("x", core.TopicId("silence", "s"))
        record(asyncio.iscoroutine(publish), inspect.iscoroutine(publish))
        record(await publish)
        await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    assert upstream == [[True, True], True, [True, True], "x", [True, True], None]
    assert ours == [[True, True], True, [False, False], "x", [True, False], None]


def test_several_published_messages_may_be_handled_in_one_loop_iteration():
    async def scenario(core, record):
        iteration, received_in = 0, []

        async def note(agent, message, ctx):
            received_in.append(iteration)

        runtime, agent, _ = await started(core, note)
        await runtime.add_subscription(core.TypeSubscription("news", "agent"))
        await runtime.send_message("x", agent)
        received_in.clear()
        for _ in range(10):
            await runtime.publish_message("x", core.TopicId("news", "k"))
        while len(received_in) < 10:
            iteration += 1
            await asyncio.sleep(0)
        await runtime.stop_when_idle()
        record("iterations with a delivery", len(set(received_in)))

    upstream, ours = both(scenario)
    assert upstream == [["iterations with a delivery", 10]]
    assert ours == [["iterations with a delivery", 1]]


def test_an_agent_may_be_built_in_the_task_of_its_first_sender():
    async def scenario(core, record):
        class Agent(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                return message

        async def build():
            return make()

        def make():
            built_in.append(asyncio.current_task())
            return Agent("built")

        for name, factory in (("at once", make), ("waits", build)):
            built_in = []
            runtime = core.SingleThreadedAgentRuntime()
            await runtime.register_factory("agent", factory)
            runtime.start()
            record(await runtime.send_message("x", core.AgentId("agent", "k")))
            record(name, built_in == [asyncio.current_task()])
            await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    assert upstream == ["x", ["at once", False], "x", ["waits", False]]
    assert ours == ["x", ["at once", True], "x", ["waits", False]]


def test_gathered_sends_are_not_among_all_tasks():
    async def scenario(core, record):
        runtime, agent, _ = await started(core, echo)
        await runtime.send_message("first", agent)
        before = asyncio.all_tasks()
        gathered = asyncio.gather(*(runtime.send_message("x", agent) for _ in range(3)))
        record(len(asyncio.all_tasks() - before))
        record(await gathered)
        await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    assert upstream == [3, ["x", "x", "x"]]
    assert ours == [0, ["x", "x", "x"]]


@pytest.mark.parametrize("where", ["class", "agent"])
def test_a_way_of_handling_that_is_replaced_after_the_first_message_is_not_seen(where):
    async def replacement(*arguments, **keywords):
        return "replaced"

    async def scenario(core, record):
        runtime, agent_id, agent_class = await started(core, echo)
        agent = await runtime.try_get_underlying_agent_instance(agent_id)
        record(await runtime.send_message("first", agent_id))
        target = agent_class if where == "class" else agent
        with mock.patch.object(target, "on_message_impl", replacement):
            record(await runtime.send_message("second", agent_id))
        await runtime.stop_when_idle()

    assert both(scenario) == (["first", "replaced"], ["first", "second"])


def test_handlers_are_looked_up_once_a_class():
    async def scenario(core, record):
        runtime, agent, agent_class = await started(core, echo)
        record(await runtime.send_message("x", agent))

        async def other(self, message: str, ctx: core.MessageContext) -> Any:
            return "another handler"

        agent_class.handle = core.message_handler(other)
        record(await runtime.send_message("x", agent))
        record(await runtime.send_message("x", core.AgentId("agent", "built later")))
        await runtime.stop_when_idle()

    assert both(scenario) == (["x", "x", "another handler"], ["x", "x", "x"])


def test_nothing_can_be_added_to_a_message_context():
    async def scenario(core, record):
        async def handler(agent, message, ctx):
            if message == "add":
                ctx.note = "mine"
                return ctx.note
            if message == "set":
                ctx.message_id = "mine"
                return ctx.message_id
            changed = dataclasses.replace(ctx, message_id="other")
            record(
                changed.message_id, changed.sender, changed == ctx, dataclasses.is_dataclass(ctx)
            )
            record([field.name for field in dataclasses.fields(ctx)])
            plain = dataclasses.replace(ctx, cancellation_token=None)
            record(dataclasses.asdict(plain))
            return None

        runtime, agent, _ = await started(core, handler)
        for message in ("set", "look", "add"):
            send = runtime.send_message(message, agent, message_id="m")
            await record.outcome(message, send, words=False)
        await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    assert upstream[-1] == ["add", "mine"]
    assert ours[-1] == ("add", "raised AttributeError")
    assert ours[:-1] == upstream[:-1]
    assert len(ours) == 6


def test_a_message_context_is_not_extended_by_fields():
    async def scenario(core, record):
        context = core.MessageContext(None, None, True, None, "m")
        record.call("copy", lambda: copy.copy(context) == context)
        record("by position", core.MessageContext.__match_args__)

        async def extend():
            @dataclasses.dataclass
            class More(core.MessageContext):
                note: str = ""

            return More(None, None, True, None, "m", "mine").note

        await record.outcome("more fields", extend(), words=False)

    upstream, ours = both(scenario)
    assert ours[:2] == upstream[:2]
    assert upstream[2] == ["more fields", "mine"]
    assert ours[2] == ("more fields", "raised TypeError")


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_task_mode_runs_each_handler_in_a_task_of_its_own(by, monkeypatch):
    if by == "environment":
        monkeypatch.setenv("FERROGEN_PLAIN_TASKS", "1")
    task_mode = {"task_mode": True} if by == "argument" else {}

    async def scenario(core, record):
        runtime, agent, _ = await started(core, echo, **task_mode)
        async with LoopIterations() as iterations:
            before = iterations.count
            await runtime.send_message("x", agent)
            record("yields", iterations.count > before)
        before = asyncio.all_tasks()
        sends = asyncio.gather(*(runtime.send_message("x", agent) for _ in range(3)))
        record("tasks", len(asyncio.all_tasks() - before))
        await sends
        await runtime.stop_when_idle()

    assert play(OURS, scenario).entries == [["yields", True], ["tasks", 3]]
    if by == "argument":
        with pytest.raises(TypeError, match="task_mode"):
            play(UPSTREAM, scenario)
