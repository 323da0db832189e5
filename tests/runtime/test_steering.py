"""Steering: running handlers are cancelled with what they have called, or get messages."""

import asyncio

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    CancellationToken,
    DeadLetterCause,
    MessageContext,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import MessageCancelledError
from ferrogen.tools import FunctionTool

from .function_agents import is_idle, register, until


@pytest.fixture
async def runtime():
    runtime = SingleThreadedAgentRuntime()
    yield runtime
    await runtime.close()


async def tower(runtime, how):
    """Agents that call the next floor below; the lowest one waits. Returns what happened."""
    seen = []

    async def climb(agent, message, ctx):
        floor = int(agent.id.key)
        below = AgentId("tower", str(floor - 1))
        try:
            if floor == 0:
                seen.append("waits")
                await asyncio.Event().wait()
            elif how == "send":
                await agent.send_message(message, below)
            elif how == "after a turn":
                await asyncio.sleep(0)
                await agent.send_message(message, below)
            elif how == "gather":
                await asyncio.gather(agent.send_message(message, below))
            elif how == "task":
                await asyncio.create_task(agent.send_message(message, below))
            elif how == "wait_for":
                await asyncio.wait_for(agent.send_message(message, below), 1000)
            elif how == "tool":
                await FunctionTool(lie_down, description="waits").run_json(
                    {"text": "x"}, CancellationToken()
                )
        except asyncio.CancelledError:
            seen.append(f"cancelled {floor}")
            raise

    async def lie_down(text: str) -> str:
        seen.append("waits")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled tool")
            raise
        return text

    await register(runtime, "tower", climb)
    runtime.start()
    return seen


@pytest.mark.parametrize("how", ["send", "after a turn", "gather", "task", "wait_for"])
async def test_an_agent_is_cancelled_with_all_that_it_has_called(runtime, how):
    seen = await tower(runtime, how)
    send = asyncio.ensure_future(runtime.send_message("x", AgentId("tower", "2")))
    await until(lambda: "waits" in seen)
    assert runtime.cancel(AgentId("tower", "2")) == 1
    with pytest.raises(asyncio.CancelledError):
        await send
    await until(lambda: is_idle(runtime))
    assert sorted(seen[1:]) == ["cancelled 0", "cancelled 1", "cancelled 2"]


async def test_a_tool_is_cancelled_with_its_agent(runtime):
    seen = await tower(runtime, "tool")
    send = asyncio.ensure_future(runtime.send_message("x", AgentId("tower", "1")))
    await until(lambda: "waits" in seen)
    runtime.cancel(AgentId("tower", "1"))
    with pytest.raises(asyncio.CancelledError):
        await send
    assert seen == ["waits", "cancelled tool", "cancelled 1"]


async def test_the_callers_of_a_cancelled_agent_only_see_the_error(runtime):
    seen = await tower(runtime, "send")
    send = asyncio.ensure_future(runtime.send_message("x", AgentId("tower", "2")))
    await until(lambda: "waits" in seen)
    assert runtime.cancel(AgentId("tower", "0")) == 1
    with pytest.raises(asyncio.CancelledError):
        await send
    assert seen == ["waits", "cancelled 0", "cancelled 1", "cancelled 2"]


async def test_nothing_is_cancelled_where_nothing_runs(runtime):
    await tower(runtime, "send")
    assert runtime.cancel(AgentId("tower", "7")) == 0
    assert runtime.cancel(AgentId("unknown", "1")) == 0
    with pytest.raises(TypeError, match="cancel takes an AgentId or a Chain, not 'tower'"):
        runtime.cancel("tower")


async def test_a_cancelled_agent_handles_its_next_message(runtime):
    calls = []

    async def once(agent, message, ctx):
        calls.append(message)
        if message == "first":
            await asyncio.Event().wait()
        return message

    agent_id = (await register(runtime, "agent", once))()
    runtime.set_agent_options("agent", AgentOptions(order="sequential"))
    runtime.start()
    first = asyncio.ensure_future(runtime.send_message("first", agent_id))
    await until(lambda: calls)
    second = asyncio.ensure_future(runtime.send_message("second", agent_id))
    await asyncio.sleep(0)
    assert runtime.cancel(agent_id) == 1
    assert await second == "second"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_what_a_cancelled_handler_has_queued_is_a_dead_letter(runtime):
    handled = []
    gate = asyncio.Event()

    async def busy(agent, message, ctx):
        handled.append(message)
        await gate.wait()

    async def front(agent, message, ctx):
        await agent.send_message("queued", AgentId("busy", "1"))

    await register(runtime, "busy", busy)
    runtime.set_agent_options("busy", AgentOptions(order="sequential"))
    await register(runtime, "front", front)
    runtime.start()
    first = asyncio.ensure_future(runtime.send_message("first", AgentId("busy", "1")))
    await until(lambda: handled)
    second = asyncio.ensure_future(runtime.send_message("go", AgentId("front", "1")))
    await until(lambda: any(one.queued for one in runtime.agents() if one.id.type == "busy"))
    runtime.cancel(AgentId("front", "1"))
    with pytest.raises(asyncio.CancelledError):
        await second
    gate.set()
    await first
    await until(lambda: is_idle(runtime))
    assert handled == ["first"]
    assert [letter.cause for letter in runtime.dead_letters] == [DeadLetterCause.CANCELLED]


async def test_a_handler_can_cancel_its_own_agent(runtime):
    seen = []

    async def give_up(agent, message, ctx):
        runtime.cancel(agent.id)
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    agent_id = (await register(runtime, "agent", give_up))()
    runtime.start()
    with pytest.raises(asyncio.CancelledError):
        await runtime.send_message("x", agent_id)
    assert seen == ["cancelled"]


async def test_cleaning_up_is_not_disturbed_by_a_second_cancellation(runtime):
    seen = []

    async def inner(agent, message, ctx):
        try:
            seen.append("waits")
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("clean")

    async def outer(agent, message, ctx):
        await asyncio.gather(*(agent.send_message(n, AgentId("inner", str(n))) for n in range(3)))

    await register(runtime, "inner", inner)
    await register(runtime, "outer", outer)
    runtime.start()
    send = asyncio.ensure_future(runtime.send_message("x", AgentId("outer", "1")))
    await until(lambda: seen.count("waits") == 3)
    runtime.cancel(AgentId("outer", "1"))
    runtime.cancel(AgentId("outer", "1"))
    with pytest.raises(asyncio.CancelledError):
        await send
    await until(lambda: is_idle(runtime))
    assert seen.count("clean") == 3


@pytest.mark.parametrize("how", ["gather", "task", "bare task"])
async def test_a_cancelled_handler_does_not_affect_the_calls_of_another_one(runtime, how):
    seen, gates = [], {name: asyncio.Event() for name in ("cleaned up", "called", "leave")}

    async def called(agent, message, ctx):
        seen.append("called")
        await gates["called"].wait()
        seen.append("ends")

    async def calls(agent, message, ctx):
        if message == "cancelled":
            try:
                seen.append("waits")
                await asyncio.Event().wait()
            finally:
                await gates["cleaned up"].wait()
        call = agent.send_message("x", AgentId("called", "1"))
        sending = asyncio.gather(call) if how == "gather" else asyncio.ensure_future(call)
        if how == "bare task":
            await gates["leave"].wait()
        else:
            asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(leave(sending)))
            await asyncio.wait([sending])
        sending.cancel()

    async def leave(sending):
        await gates["leave"].wait()
        sending.cancel()

    await register(runtime, "called", called)
    await register(runtime, "calls", calls)
    runtime.start()
    agent_id = AgentId("calls", "1")
    first = asyncio.ensure_future(runtime.send_message("cancelled", agent_id))
    await until(lambda: "waits" in seen)
    assert runtime.cancel(agent_id) == 1
    second = asyncio.ensure_future(runtime.send_message("leaves", agent_id))
    await until(lambda: "called" in seen)
    gates["leave"].set()
    await second
    gates["called"].set()
    await until(lambda: "ends" in seen)
    gates["cleaned up"].set()
    with pytest.raises(asyncio.CancelledError):
        await first


# Chains.


async def test_a_chain_is_cancelled_and_other_messages_are_not(runtime):
    seen = await tower(runtime, "send")
    with runtime.chain() as chain:
        send = asyncio.ensure_future(runtime.send_message("x", AgentId("tower", "1")))
        await until(lambda: "waits" in seen)
    other = asyncio.ensure_future(runtime.send_message("x", AgentId("tower", "0")))
    await until(lambda: seen.count("waits") == 2)
    assert not chain.is_cancelled
    assert runtime.cancel(chain) == 2
    assert chain.is_cancelled
    with pytest.raises(asyncio.CancelledError):
        await send
    assert not other.done()
    assert runtime.cancel(AgentId("tower", "0")) == 1
    with pytest.raises(asyncio.CancelledError):
        await other


async def test_published_messages_and_what_follows_them_belong_to_the_chain(runtime):
    seen = []

    async def relay(agent, message, ctx):
        if agent.id.type == "first":
            await agent.publish_message(message, TopicId("second", "1"))
        else:
            seen.append("waits")
            await asyncio.Event().wait()

    for name in ("first", "second"):
        await register(runtime, name, relay)
        await runtime.add_subscription(TypeSubscription(name, name))
    runtime.start()
    with runtime.chain() as chain:
        await runtime.publish_message("x", TopicId("first", "1"))
    await until(lambda: seen)
    assert runtime.cancel(chain) == 1
    await until(lambda: is_idle(runtime))


async def test_messages_of_a_cancelled_chain_are_refused(runtime):
    seen = await tower(runtime, "send")
    with runtime.chain() as chain:
        runtime.cancel(chain)
        with pytest.raises(MessageCancelledError, match="cancelled before a handler began"):
            await runtime.send_message("x", AgentId("tower", "0"))
        with pytest.raises(MessageCancelledError):
            await runtime.publish_message("x", TopicId("t", "0"))
    assert seen == []


async def test_queued_messages_of_a_cancelled_chain_are_dead_letters(runtime):
    seen = await tower(runtime, "send")
    runtime.set_agent_options("tower", AgentOptions(order="sequential"))
    first = asyncio.ensure_future(runtime.send_message("x", AgentId("tower", "0")))
    await until(lambda: seen)
    with runtime.chain() as chain:
        queued = asyncio.ensure_future(runtime.send_message("x", AgentId("tower", "0")))
        await until(lambda: any(info.queued for info in runtime.agents()))
    assert runtime.cancel(chain) == 0
    assert runtime.cancel(AgentId("tower", "0")) == 1
    with pytest.raises(asyncio.CancelledError):
        await first
    with pytest.raises(MessageCancelledError):
        await queued
    assert [letter.cause for letter in runtime.dead_letters] == [DeadLetterCause.CANCELLED]


# Inboxes.


async def test_a_running_handler_finds_messages_in_its_inbox(runtime):
    gate, found = asyncio.Event(), []

    async def work(agent, message, ctx: MessageContext):
        await gate.wait()
        found.extend(ctx.inbox)
        return len(ctx.inbox)

    worker = (await register(runtime, "worker", work))()
    runtime.start()
    send = asyncio.ensure_future(runtime.send_message("x", worker))
    await until(lambda: runtime.steer("faster", worker))
    assert runtime.steer("and better", worker) == 1
    gate.set()
    assert await send == 0
    assert found == ["faster", "and better"]


async def test_each_running_handler_gets_the_message_once(runtime):
    gate, found = asyncio.Event(), []

    async def work(agent, message, ctx):
        await gate.wait()
        found.append((message, list(ctx.inbox)))

    worker = (await register(runtime, "worker", work))()
    runtime.start()
    sends = [asyncio.ensure_future(runtime.send_message(n, worker)) for n in range(3)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert runtime.steer("stop", worker) == 3
    gate.set()
    await asyncio.gather(*sends)
    assert sorted(found) == [(0, ["stop"]), (1, ["stop"]), (2, ["stop"])]


async def test_a_message_for_an_agent_that_does_not_run_is_not_kept(runtime):
    found = []

    async def work(agent, message, ctx):
        await asyncio.sleep(0)
        found.extend(ctx.inbox)

    worker = (await register(runtime, "worker", work))()
    runtime.start()
    assert runtime.steer("lost", worker) == 0
    await runtime.send_message("x", worker)
    assert runtime.steer("lost", worker) == 0
    await runtime.send_message("x", worker)
    assert found == []
    with pytest.raises(TypeError, match="steer takes an AgentId"):
        runtime.steer("x", "worker")


async def test_a_handler_can_wait_for_a_message(runtime):
    async def work(agent, message, ctx):
        return await ctx.inbox.get()

    worker = (await register(runtime, "worker", work))()
    runtime.start()
    send = asyncio.ensure_future(runtime.send_message("x", worker))
    await until(lambda: runtime.steer("now", worker))
    assert await send == "now"


def test_the_inbox_is_empty_outside_of_a_handler():
    context = MessageContext(
        sender=None,
        topic_id=None,
        is_rpc=True,
        cancellation_token=CancellationToken(),
        message_id="1",
    )
    assert list(context.inbox) == []
