"""Building agents: once each, without delay or errors for other agents."""

import asyncio
from contextvars import ContextVar

from tests.compat.harness import both, error_of, yield_to_loop


def test_messages_to_a_new_agent_build_it_once():
    async def scenario(core, record):
        gate = asyncio.Event()

        class Agent(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                return self

        async def build():
            record("building", core.AgentInstantiationContext.current_agent_id())
            await gate.wait()
            return Agent("is built slowly")

        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "agent", build)
        runtime.start()
        sends = [
            asyncio.create_task(runtime.send_message(n, core.AgentId("agent", "k")))
            for n in range(5)
        ]
        await yield_to_loop()
        gate.set()
        record("agents", len(set(map(id, await asyncio.gather(*sends)))))
        await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    assert upstream == [["building", "AgentId agent/k"]] * 5 + [["agents", 5]]
    assert ours == [["building", "AgentId agent/k"], ["agents", 1]]


def test_a_failed_build_does_not_affect_other_recipients_of_a_message():
    async def scenario(core, record):
        class Agent(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                record("received", self.id)

        def broken():
            raise ValueError("cannot be built")

        runtime = core.SingleThreadedAgentRuntime()
        for agent_type, factory in (("a", None), ("broken", broken), ("c", None)):
            await Agent.register(runtime, agent_type, factory or (lambda: Agent("listens")))
            await runtime.add_subscription(core.TypeSubscription("t", agent_type))
        runtime.start()
        await runtime.publish_message("x", core.TopicId("t", "k"))
        await yield_to_loop()
        await runtime.stop()

    upstream, ours = both(scenario)
    assert upstream == []
    assert ours == [["received", "AgentId a/k"], ["received", "AgentId c/k"]]


def test_a_publish_does_not_wait_for_recipients_that_have_to_be_built():
    async def scenario(core, record):
        gate = asyncio.Event()

        class Agent(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                record("received", self.id)

        async def build():
            await gate.wait()
            return Agent("is built slowly")

        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "slow", build)
        await Agent.register(runtime, "quick", lambda: Agent("listens"))
        for agent_type in ("slow", "quick"):
            await runtime.add_subscription(core.TypeSubscription("t", agent_type))
        runtime.start()
        await runtime.publish_message("x", core.TopicId("t", "k"))
        await yield_to_loop()
        record("before the build ends")
        gate.set()
        await runtime.stop_when_idle()

    late, quick, slow = "before the build ends", "AgentId quick/k", "AgentId slow/k"
    upstream, ours = both(scenario)
    assert upstream == [late, ["received", slow], ["received", quick]]
    assert ours == [["received", quick], late, ["received", slow]]


def test_context_variables_set_by_a_factory_are_not_visible_in_handlers():
    color = ContextVar("color", default="none")

    async def scenario(core, record):
        class Agent(core.BaseAgent):
            def __init__(self):
                super().__init__("x")
                color.set("set by the factory")

            async def on_message_impl(self, message, ctx):
                record(message, color.get())

        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "agent", Agent)
        runtime.start()
        for message in ("first", "second"):
            await runtime.send_message(message, core.AgentId("agent", "k"))
        await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    assert upstream == [["first", "set by the factory"], ["second", "none"]]
    assert ours == [["first", "none"], ["second", "none"]]


def test_the_agent_of_a_sender_id_is_neither_built_nor_looked_up():
    async def scenario(core, record):
        class Agent(core.BaseAgent):
            def __init__(self):
                super().__init__("x")
                record("built", self.id)

            async def on_message_impl(self, message, ctx):
                return str(ctx.sender)

        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "agent", Agent)
        runtime.start()
        agent = core.AgentId("agent", "receives")
        for sender in (core.AgentId("agent", "sends"), core.AgentId("unknown", "k")):
            await record.outcome("send", runtime.send_message("x", agent, sender=sender))
        await runtime.stop_when_idle()

    recipient, sender = ["built", "AgentId agent/receives"], ["built", "AgentId agent/sends"]
    upstream, ours = both(scenario)
    assert upstream == [
        recipient,
        sender,
        ["send", "agent/sends"],
        ("send", "raised LookupError: Agent with name unknown not found."),
    ]
    assert ours == [recipient, ["send", "agent/sends"], ["send", "unknown/k"]]


def test_a_factory_that_returns_none_is_a_type_error():
    async def scenario(core, record):
        runtime = core.SingleThreadedAgentRuntime()
        await runtime.register_factory("agent", lambda: None)
        runtime.start()
        error = await error_of(runtime.send_message("x", core.AgentId("agent", "k")))
        record(type(error).__name__, "factory" in str(error))
        await runtime.stop_when_idle()

    assert both(scenario) == ([["AttributeError", False]], [["TypeError", True]])
