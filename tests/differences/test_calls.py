"""What Ferrogen adds to the methods of a runtime and of agents, and that upstream does not have."""

from __future__ import annotations

import asyncio

import pytest
from tests.compat.harness import OURS, UPSTREAM, both, play, yield_to_loop

ADDED = ("ask", "stream", "request_all", "schedule", "run_until_signal")


async def with_agent(core, work):
    class Agent(core.BaseAgent):
        async def on_message_impl(self, message, ctx):
            return await work()

    runtime = core.SingleThreadedAgentRuntime()
    await Agent.register(runtime, "agent", lambda: Agent("works"))
    return runtime


@pytest.mark.parametrize("name", ADDED)
def test_a_runtime_has_calls_beyond_those_of_upstream(name):
    async def scenario(core, record):
        record(name, hasattr(core.SingleThreadedAgentRuntime, name))

    assert both(scenario) == ([[name, False]], [[name, True]])


@pytest.mark.parametrize("name", ["ask", "stream"])
def test_an_agent_has_calls_beyond_those_of_upstream(name):
    async def scenario(core, record):
        record(name, hasattr(core.BaseAgent, name))

    assert both(scenario) == ([[name, False]], [[name, True]])


def test_a_runtime_is_a_context_manager():
    async def scenario(core, record):
        async def work():
            record("handled")

        runtime = await with_agent(core, work)
        try:
            async with runtime:
                await runtime.send_message("x", core.AgentId("agent", "k"))
        except (AttributeError, TypeError):  # AttributeError before Python 3.11
            record("not a context manager")

    assert both(scenario) == (["not a context manager"], ["handled"])


def test_stop_can_drain_the_runtime_first():
    async def scenario(core, record):
        gate = asyncio.Event()

        async def work():
            await gate.wait()
            record("handled")

        runtime = await with_agent(core, work)
        runtime.start()
        sending = asyncio.ensure_future(runtime.send_message("x", core.AgentId("agent", "k")))
        await yield_to_loop()
        stopping = asyncio.ensure_future(runtime.stop(drain=True))
        await yield_to_loop()
        gate.set()
        await stopping
        record("stopped")
        await sending

    assert play(OURS, scenario).entries == ["handled", "stopped"]
    with pytest.raises(TypeError, match="drain"):
        play(UPSTREAM, scenario)


def test_an_async_generator_can_be_a_handler():
    async def scenario(core, record):
        record("stream", hasattr(core, "stream"))

    assert both(scenario) == ([["stream", False]], [["stream", True]])
