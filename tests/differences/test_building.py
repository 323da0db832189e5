"""Building agents: once each, and without holding up or harming anybody else."""

import asyncio
from contextvars import ContextVar

from tests.compat.harness import both, error_of, turns


def test_messages_to_a_new_agent_build_it_once():
    async def scenario(core, record):
        gate = asyncio.Event()

        class Agent(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                return self

        async def build():
            record("building", core.AgentInstantiationContext.current_agent_id())
            await gate.wait()
            return Agent("slowly made")

        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "agent", build)
        runtime.start()
        sends = [
            asyncio.create_task(runtime.send_message(n, core.AgentId("agent", "k")))
            for n in range(5)
        ]
        await turns()
        gate.set()
        record("agents", len(set(map(id, await asyncio.gather(*sends)))))
        await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    assert upstream == [["building", "AgentId agent/k"]] * 5 + [["agents", 5]]
    assert ours == [["building", "AgentId agent/k"], ["agents", 1]]


def test_an_agent_that_cannot_be_built_does_not_keep_others_from_a_publish():
    async def scenario(core, record):
        class Agent(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                record("heard", self.id)

        def broken():
            raise ValueError("cannot be built")

        runtime = core.SingleThreadedAgentRuntime()
        for agent_type, factory in (("a", None), ("broken", broken), ("c", None)):
            await Agent.register(runtime, agent_type, factory or (lambda: Agent("listens")))
            await runtime.add_subscription(core.TypeSubscription("t", agent_type))
        runtime.start()
        await runtime.publish_message("x", core.TopicId("t", "k"))
        await turns()
        await runtime.stop()

    upstream, ours = both(scenario)
    assert upstream == []
    assert ours == [["heard", "AgentId a/k"], ["heard", "AgentId c/k"]]


def test_a_publish_does_not_wait_for_recipients_that_have_to_be_built():
    async def scenario(core, record):
        gate = asyncio.Event()

        class Agent(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                record("heard", self.id)

        async def build():
            await gate.wait()
            return Agent("takes its time")

        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "slow", build)
        await Agent.register(runtime, "quick", lambda: Agent("listens"))
        for agent_type in ("slow", "quick"):
            await runtime.add_subscription(core.TypeSubscription("t", agent_type))
        runtime.start()
        await runtime.publish_message("x", core.TopicId("t", "k"))
        await turns()
        record("now the slow one is built")
        gate.set()
        await runtime.stop_when_idle()

    late, quick, slow = "now the slow one is built", "AgentId quick/k", "AgentId slow/k"
    upstream, ours = both(scenario)
    assert upstream == [late, ["heard", slow], ["heard", quick]]
    assert ours == [["heard", quick], late, ["heard", slow]]


def test_what_a_factory_sets_in_a_context_variable_stays_in_the_factory():
    colour = ContextVar("colour", default="none")

    async def scenario(core, record):
        class Agent(core.BaseAgent):
            def __init__(self):
                super().__init__("x")
                colour.set("the factory's")

            async def on_message_impl(self, message, ctx):
                record(message, colour.get())

        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "agent", Agent)
        runtime.start()
        for message in ("first", "second"):
            await runtime.send_message(message, core.AgentId("agent", "k"))
        await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    assert upstream == [["first", "the factory's"], ["second", "none"]]
    assert ours == [["first", "none"], ["second", "none"]]


def test_a_sender_that_is_only_named_is_neither_built_nor_looked_up():
    async def scenario(core, record):
        class Agent(core.BaseAgent):
            def __init__(self):
                super().__init__("x")
                record("made", self.id)

            async def on_message_impl(self, message, ctx):
                return str(ctx.sender)

        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "agent", Agent)
        runtime.start()
        agent = core.AgentId("agent", "hears")
        for sender in (core.AgentId("agent", "sends"), core.AgentId("nobody", "k")):
            await record.outcome("send", runtime.send_message("x", agent, sender=sender))
        await runtime.stop_when_idle()

    heard, sent = ["made", "AgentId agent/hears"], ["made", "AgentId agent/sends"]
    upstream, ours = both(scenario)
    assert upstream == [
        heard,
        sent,
        ["send", "agent/sends"],
        ("send", "raised LookupError: Agent with name nobody not found."),
    ]
    assert ours == [heard, ["send", "agent/sends"], ["send", "nobody/k"]]


def test_a_factory_that_returns_nothing_is_told_so():
    async def scenario(core, record):
        runtime = core.SingleThreadedAgentRuntime()
        await runtime.register_factory("agent", lambda: None)
        runtime.start()
        error = await error_of(runtime.send_message("x", core.AgentId("agent", "k")))
        record(type(error).__name__, "factory" in str(error))
        await runtime.stop_when_idle()

    assert both(scenario) == ([["AttributeError", False]], [["TypeError", True]])
