"""Closing a runtime: every agent that was made is closed, and no further one is made."""

import asyncio

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    InMemoryStateStore,
    SingleThreadedAgentRuntime,
    Supervision,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import MessageCancelledError, RuntimeStoppedError

from .function_agents import Doing, echo, register

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
