"""Agents: mailboxes that can be bounded, sequential and passivated."""

import asyncio

import pytest
from tests.compat.harness import both, yield_to_loop

import ferrogen


def test_an_agent_without_a_runtime_refuses_to_send_when_called():
    async def scenario(core, record):
        class Lonely(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                return message

        lonely = Lonely("has no runtime")
        try:
            sending = lonely.send_message("x", core.AgentId("a", "b"))
        except AttributeError:
            return record("when called")
        try:
            await sending
        except AttributeError:
            record("when awaited")

    assert both(scenario) == (["when awaited"], ["when called"])


def test_an_agent_sends_as_the_agent_that_it_is_bound_as():
    async def scenario(core, record):
        class Named(core.BaseAgent):
            id = core.AgentId("other", "else")

            async def on_message_impl(self, message, ctx):
                if message == "ask":
                    return await self.send_message("who asks?", core.AgentId("named", "other"))
                return str(ctx.sender)

        runtime = core.SingleThreadedAgentRuntime()
        for name in ("named", "other"):
            await runtime.register_factory(name, lambda: Named("has a name"))
        runtime.start()
        record(await runtime.send_message("ask", core.AgentId("named", "one")))
        await runtime.stop_when_idle()

    assert both(scenario) == (["other/else"], ["named/one"])


def test_an_agent_can_handle_one_message_after_the_other():
    async def scenario(core, record):
        gate = asyncio.Event()

        class Counter(core.BaseAgent):
            total = 0

            async def on_message_impl(self, message, ctx):
                before = self.total
                await gate.wait()
                self.total = before + 1

        if core is ferrogen:
            Counter = ferrogen.agent_options(concurrency=1)(Counter)  # noqa: N806
        runtime = core.SingleThreadedAgentRuntime()
        await Counter.register(runtime, "counter", lambda: Counter("counts"))
        agent = core.AgentId("counter", "k")
        runtime.start()
        sends = [asyncio.create_task(runtime.send_message("add", agent)) for _ in range(100)]
        await yield_to_loop(200)
        gate.set()
        await asyncio.gather(*sends)
        counter = await runtime.try_get_underlying_agent_instance(agent)
        record("counted", counter.total)
        await runtime.stop_when_idle()

    assert both(scenario) == ([["counted", 1]], [["counted", 100]])


@pytest.mark.parametrize(
    ("overflow", "handled", "refused"),
    [("reject", [0, 1, 2], [3, 4]), ("drop_oldest", [0, 3, 4], [1, 2])],
)
def test_a_mailbox_can_be_bounded(overflow, handled, refused):
    async def scenario(core, record):
        gate, begun = asyncio.Event(), []

        class Slow(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                begun.append(message)
                await gate.wait()

        if core is ferrogen:
            Slow = ferrogen.agent_options(  # noqa: N806
                concurrency=1, capacity=2, overflow=overflow
            )(Slow)
        runtime = core.SingleThreadedAgentRuntime()
        await Slow.register(runtime, "slow", lambda: Slow("is slow"))
        await runtime.get("slow", "k", lazy=False)
        runtime.start()
        sends = [
            asyncio.create_task(runtime.send_message(n, core.AgentId("slow", "k")))
            for n in range(5)
        ]
        await yield_to_loop()
        gate.set()
        outcomes = await asyncio.gather(*sends, return_exceptions=True)
        await runtime.stop_when_idle()
        record("begun", begun)
        record("refused", [n for n, outcome in enumerate(outcomes) if outcome is not None])
        record({type(outcome).__name__ for outcome in outcomes if outcome is not None})
        record("dead", [letter.message for letter in getattr(runtime, "dead_letters", [])])

    upstream, ours = both(scenario)
    assert upstream == [["begun", [0, 1, 2, 3, 4]], ["refused", []], set(), ["dead", []]]
    assert ours == [
        ["begun", handled],
        ["refused", refused],
        {"MailboxFullError"},
        ["dead", refused],
    ]


def test_idle_agents_can_be_passivated():
    async def scenario(core, record):
        closed = asyncio.Event()

        class Agent(core.BaseAgent):
            def __init__(self):
                super().__init__("comes and goes")
                record("made")

            async def on_message_impl(self, message, ctx):
                return message

            async def close(self):
                closed.set()

        if core is ferrogen:
            Agent = ferrogen.agent_options(passivate_after=0.01)(Agent)  # noqa: N806
        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "agent", Agent)
        runtime.start()
        await runtime.send_message("x", core.AgentId("agent", "k"))
        passivated = asyncio.create_task(closed.wait())
        await asyncio.wait({passivated}, timeout=150 if core is ferrogen else 0.2)
        record("closed", closed.is_set())
        passivated.cancel()
        await runtime.send_message("x", core.AgentId("agent", "k"))
        await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    assert upstream == ["made", ["closed", False]]
    assert ours == ["made", ["closed", True], "made"]


def test_passivated_agents_keep_their_state():
    async def scenario(core, record):
        class Agent(core.BaseAgent):
            count = 0

            async def on_message_impl(self, message, ctx):
                self.count += 1
                return self.count

            async def save_state(self):
                return {"count": self.count}

            async def load_state(self, state):
                self.count = state["count"]

        options = {}
        if core is ferrogen:
            options = {"state_store": ferrogen.InMemoryStateStore()}
            Agent = ferrogen.agent_options(max_active=1)(Agent)  # noqa: N806
        runtime = core.SingleThreadedAgentRuntime(**options)
        await Agent.register(runtime, "agent", lambda: Agent("counts"))
        runtime.start()
        for key in ("a", "b", "a"):
            record(await runtime.send_message("x", core.AgentId("agent", key)))
        await runtime.stop_when_idle()
        record(await runtime.save_state())
        if core is ferrogen:
            record([info.id.key for info in runtime.agents()])

    upstream, ours = both(scenario)
    states = {"agent/a": {"count": 2}, "agent/b": {"count": 1}}
    assert upstream == [1, 1, 2, states]
    assert ours == [1, 1, 2, states, ["a"]]


def test_agents_that_await_each_other_one_message_at_a_time_are_a_deadlock_error():
    async def scenario(core, record):
        class Agent(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                if message == 0:
                    return "response"
                peer = core.AgentId("agent", "b" if self.id.key == "a" else "a")
                return await self.send_message(message - 1, peer)

        if core is ferrogen:
            Agent = ferrogen.agent_options(concurrency=1)(Agent)  # noqa: N806
        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "agent", lambda: Agent("asks its peer"))
        runtime.start()
        try:
            record(await runtime.send_message(2, core.AgentId("agent", "a")))
        except ferrogen.exceptions.DeadlockError as error:
            record("deadlock", error.cycle)
            record([letter.message for letter in runtime.dead_letters])
        await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    cycle = ["AgentId agent/b", "AgentId agent/a", "AgentId agent/b"]
    assert upstream == ["response"]
    assert ours == [["deadlock", cycle], [0]]


def test_a_handler_that_raises_can_be_called_again():
    async def scenario(core, record):
        class Agent(core.BaseAgent):
            calls = 0

            async def on_message_impl(self, message, ctx):
                self.calls += 1
                if self.calls == 1:
                    raise OSError(message)
                return message

        if core is ferrogen:
            policy = ferrogen.RetryPolicy(attempts=2, initial_delay=0)
            Agent = ferrogen.agent_options(retry=policy)(Agent)  # noqa: N806
        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "agent", lambda: Agent("fails once"))
        runtime.start()
        await record.outcome("send", runtime.send_message("x", core.AgentId("agent", "k")))
        await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    assert upstream == [("send", "raised OSError: x")]
    assert ours == [["send", "x"]]


def test_an_agent_that_has_failed_can_be_restarted():
    async def scenario(core, record):
        class Agent(core.BaseAgent):
            is_broken = False

            async def on_message_impl(self, message, ctx):
                self.is_broken = self.is_broken or message == "break"
                if self.is_broken:
                    raise OSError("broken")
                return message

        if core is ferrogen:
            supervision = ferrogen.Supervision(on_failure="restart")
            Agent = ferrogen.agent_options(supervision=supervision)(Agent)  # noqa: N806
        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "agent", lambda: Agent("breaks"))
        runtime.start()
        for message in ("break", "x"):
            sending = runtime.send_message(message, core.AgentId("agent", "k"))
            await record.outcome("send", sending)
        await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    assert upstream == [("send", "raised OSError: broken")] * 2
    assert ours == [("send", "raised OSError: broken"), ["send", "x"]]


def test_the_hooks_of_an_agent_are_called():
    async def scenario(core, record):
        class Agent(core.BaseAgent):
            async def on_activate(self):
                record("activated")

            async def on_deactivate(self):
                record("deactivated")

            async def on_message_impl(self, message, ctx):
                record(message)

        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "agent", lambda: Agent("records"))
        runtime.start()
        await runtime.send_message("x", core.AgentId("agent", "k"))
        await runtime.close()

    assert both(scenario) == (["x"], ["activated", "x", "deactivated"])
