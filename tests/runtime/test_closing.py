"""Closing a runtime: every agent that was made is closed, and no further one is made."""

import asyncio

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    DefaultInterventionHandler,
    Delay,
    InMemoryStateStore,
    Redirect,
    SingleThreadedAgentRuntime,
    Supervision,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import MessageCancelledError, RuntimeStoppedError

from .function_agents import Doing, Gate, echo, is_idle, register

A = AgentId("a", "1")
NEWS = TopicId("news", "1")


async def boom(agent, message, ctx):
    raise asyncio.CancelledError


async def fail(agent, message, ctx):
    raise OSError("disk full")


@pytest.mark.parametrize(
    ("act", "error"), [(boom, asyncio.CancelledError), (fail, OSError)], ids=["cancelled", "failed"]
)
async def test_agents_are_closed_when_the_runtime_has_halted(act, error):
    runtime = SingleThreadedAgentRuntime(ignore_unhandled_exceptions=False)
    await register(runtime, "a", act)
    await runtime.add_subscription(TypeSubscription("news", "a"))
    runtime.start()
    await runtime.publish_message("hello", NEWS)
    agent = await runtime.try_get_underlying_agent_instance(A, Doing)
    with pytest.raises(error):
        await runtime.close()
    assert agent.closed == 1


async def test_no_agent_is_built_for_a_stream_of_a_closed_runtime():
    runtime = SingleThreadedAgentRuntime()
    built = []

    def build():
        built.append(1)
        return Doing(echo)

    await runtime.register_factory("a", build)
    runtime.start()
    await runtime.close()
    with pytest.raises(RuntimeStoppedError):
        async for _ in runtime.stream("hello", A):
            pass
    assert built == []
    runtime.start()
    assert await runtime.send_message("hello", A) == "hello"
    await runtime.close()


async def test_an_agent_that_was_made_for_a_cancelled_message_is_closed():
    # It has a state, which is loaded in a task of its own: that begins when the message is taken.
    runtime = SingleThreadedAgentRuntime(state_store=InMemoryStateStore())
    made = []

    def build():
        made.append(Doing(echo))
        return made[-1]

    await runtime.register_factory("a", build)
    runtime.start()

    with runtime.chain() as chain:
        sending = asyncio.ensure_future(runtime.send_message("hello", A))
        asyncio.get_running_loop().call_soon(runtime.cancel, chain)
    with pytest.raises(MessageCancelledError):
        await asyncio.wait_for(sending, 5)
    await runtime.stop_when_idle()
    await runtime.close()
    assert all(agent.closed == 1 for agent in made)


async def test_a_restart_that_starts_while_the_runtime_closes_leaves_no_agent():
    runtime = SingleThreadedAgentRuntime()
    made, waits, gate = [], asyncio.Event(), asyncio.Event()

    async def fail_when_cancelled(agent, message, ctx):
        try:
            waits.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise OSError("cannot clean up") from None

    async def build():
        if made:
            await gate.wait()
        made.append(Doing(fail_when_cancelled))
        return made[-1]

    await runtime.register_factory("a", build)
    runtime.set_agent_options("a", AgentOptions(supervision=Supervision(on_failure="restart")))
    runtime.start()
    sending = asyncio.ensure_future(runtime.send_message("hello", A))
    await waits.wait()
    await runtime.close()
    with pytest.raises(OSError, match="cannot clean up"):
        await sending
    gate.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert [agent.closed for agent in made] == [1] * len(made)


class Slow(Doing):
    """Waits when it is closed."""

    def __init__(self, closes, gate):
        super().__init__(echo)
        self.closes, self.gate = closes, gate

    async def close(self):
        self.closes.set()
        await self.gate.wait()
        await super().close()


async def test_an_agent_that_is_asked_for_while_the_runtime_closes_is_closed():
    runtime = SingleThreadedAgentRuntime()
    made, closes, gate = [], asyncio.Event(), asyncio.Event()

    def build():
        made.append(Slow(closes, gate))
        return made[-1]

    await runtime.register_factory("a", build)
    await runtime.register_factory("b", build)
    runtime.start()
    await runtime.send_message("hello", AgentId("b", "1"))
    closing = asyncio.ensure_future(runtime.close())
    await closes.wait()
    asked = asyncio.ensure_future(runtime.try_get_underlying_agent_instance(A, Slow))
    for _ in range(5):
        await asyncio.sleep(0)
    gate.set()
    await closing
    await asyncio.wait({asked})
    assert len(made) == 2
    assert [agent.closed for agent in made] == [1, 1]


async def test_an_agent_that_is_asked_for_while_it_is_passivated_is_closed():
    runtime = SingleThreadedAgentRuntime()
    made, closes, gate = [], asyncio.Event(), asyncio.Event()

    async def build():
        await asyncio.sleep(0)
        made.append(Slow(closes, gate))
        return made[-1]

    await runtime.register_factory("a", build)
    runtime.set_agent_options("a", AgentOptions(max_active=1))
    runtime.start()
    await runtime.send_message("hello", A)
    await runtime.send_message("hello", AgentId("a", "2"))
    await asyncio.wait_for(closes.wait(), 5)
    asked = asyncio.ensure_future(runtime.try_get_underlying_agent_instance(A, Slow))
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(runtime.close())
    for _ in range(5):
        await asyncio.sleep(0)
    gate.set()
    await closing
    await asyncio.wait({asked})
    assert [agent.closed for agent in made] == [1] * len(made)


class Diverts(DefaultInterventionHandler):
    """Lets a response go elsewhere, or come later."""

    def __init__(self, verdict):
        self.verdict = verdict

    async def on_response(self, message, **how):
        return self.verdict


async def stopped_beneath_a_handler(verdict):
    """Return a runtime that was stopped while a handler runs, its sender, and what agents get."""
    runtime = SingleThreadedAgentRuntime(intervention_handlers=[Diverts(verdict)])
    gate, handled = Gate(), []

    async def note(agent, message, ctx):
        handled.append(message)

    await register(runtime, "a", gate)
    await register(runtime, "b", note)
    await runtime.add_subscription(TypeSubscription("news", "b"))
    runtime.start()
    sending = asyncio.ensure_future(runtime.send_message("hello", A))
    await gate.arrived.get()
    await runtime.stop()
    gate.open.set()
    return runtime, sending, handled


async def test_a_response_is_not_redirected_to_an_agent_of_a_stopped_runtime():
    to = Redirect(AgentId("b", "1"))
    runtime, sending, handled = await stopped_beneath_a_handler(to)
    with pytest.raises(RuntimeStoppedError, match="before the response was redirected"):
        await asyncio.wait_for(sending, 5)
    assert [letter.cause for letter in runtime.dead_letters] == ["runtime_stopped"]
    await runtime.close()
    assert handled == []
    assert is_idle(runtime)


async def test_a_response_is_not_redirected_to_a_topic_of_a_stopped_runtime():
    runtime, sending, handled = await stopped_beneath_a_handler(Redirect(NEWS))
    assert await asyncio.wait_for(sending, 5) is None  # as on every redirection to a topic
    assert [letter.cause for letter in runtime.dead_letters] == ["runtime_stopped"]
    await runtime.close()
    assert handled == []
    assert is_idle(runtime)


async def test_a_closed_runtime_takes_no_message_by_hand():
    runtime = SingleThreadedAgentRuntime()
    await register(runtime, "a")
    waiting = asyncio.ensure_future(runtime.process_next())
    await asyncio.sleep(0)
    await runtime.close()
    for taking in (waiting, runtime.process_next()):
        with pytest.raises(RuntimeStoppedError, match="takes no messages"):
            await asyncio.wait_for(taking, 5)
    runtime.start()
    assert await runtime.send_message("hello", A) == "hello"
    await runtime.close()


async def test_taking_messages_by_hand_does_not_reopen_a_closed_runtime():
    to = Redirect(AgentId("b", "1"))
    runtime = SingleThreadedAgentRuntime(intervention_handlers=[Diverts(to)])
    gate, handled = Gate(), []

    async def stubborn(agent, message, ctx):
        try:
            return await gate(agent, message, ctx)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            return message

    async def note(agent, message, ctx):
        handled.append(message)

    await register(runtime, "a", stubborn)
    await register(runtime, "b", note)
    sending = asyncio.ensure_future(runtime.send_message("hello", A))
    await runtime.process_next()
    await gate.arrived.get()
    closing = asyncio.ensure_future(runtime.close())
    while not closing.done():
        with pytest.raises(RuntimeStoppedError):
            await runtime.process_next()
        await asyncio.sleep(0)
    with pytest.raises(RuntimeStoppedError, match="before the response was redirected"):
        await asyncio.wait_for(sending, 5)
    assert handled == []


async def test_a_response_of_a_stopped_runtime_is_not_delayed():
    runtime, sending, _ = await stopped_beneath_a_handler(Delay(3600, "later"))
    assert await asyncio.wait_for(sending, 5) == "later"
    await runtime.close()
    assert is_idle(runtime)
