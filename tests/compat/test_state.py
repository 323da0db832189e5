"""Saving and loading the state of agents."""

import json

from .harness import same


def counter(core, record):
    class Counter(core.BaseAgent):
        def __init__(self):
            super().__init__("counts")
            record("made", self.id)
            self.count = 0

        async def on_message_impl(self, message, ctx):
            self.count += message
            return self.count

        async def save_state(self):
            return {"count": self.count}

        async def load_state(self, state):
            record("load", self.id, state)
            self.count = state["count"]

    return Counter


async def with_counters(core, record):
    cls, runtime = counter(core, record), core.SingleThreadedAgentRuntime()
    await cls.register(runtime, "counter", cls)
    return runtime


def test_a_runtime_takes_over_the_state_of_another():
    async def scenario(core, record):
        first = await with_counters(core, record)
        first.start()
        for key, number in (("a", 1), ("b", 20), ("a", 300), ("with/slash", 4)):
            await first.send_message(number, core.AgentId("counter", key))
        await first.stop_when_idle()
        state = await first.save_state()
        record("saved", list(state.items()))
        second = await with_counters(core, record)
        await second.load_state(json.loads(json.dumps(state)))
        second.start()
        for key in ("b", "a", "new"):
            record(await second.send_message(0, core.AgentId("counter", key)))
        await second.stop_when_idle()

    same(scenario)


def test_only_agents_that_were_made_are_saved():
    async def scenario(core, record):
        runtime = await with_counters(core, record)
        record(dict(await runtime.save_state()))
        await runtime.get("counter", "k", lazy=False)
        record(dict(await runtime.save_state()))
        record(await runtime.load_state({}))

    same(scenario)


def test_the_state_of_one_agent_can_be_saved_and_loaded():
    async def scenario(core, record):
        runtime = await with_counters(core, record)
        agent = core.AgentId("counter", "k")
        record(await runtime.agent_save_state(agent))
        record(await runtime.agent_load_state(agent, {"count": 7}))
        record(await runtime.agent_save_state(agent))
        proxy = core.AgentProxy(agent, runtime)
        record(await proxy.save_state())
        await proxy.load_state({"count": 8})
        record(await runtime.save_state())

    same(scenario)


def test_agents_without_state_warn_and_save_nothing():
    async def scenario(core, record):
        class Plain(core.BaseAgent):
            async def on_message_impl(self, message, ctx): ...

        runtime = core.SingleThreadedAgentRuntime()
        await Plain.register(runtime, "plain", lambda: Plain("forgets"))
        await runtime.get("plain", "k", lazy=False)
        record(dict(await runtime.save_state()))
        record(await runtime.load_state({"plain/k": {"any": "thing"}}))

    assert [words for _, words in same(scenario).warnings] == [
        "save_state not implemented",
        "load_state not implemented",
    ]


def test_an_error_in_loading_comes_through():
    async def scenario(core, record):
        runtime = await with_counters(core, record)
        await record.outcome("load", runtime.load_state({"counter/k": {}}))
        await record.outcome(
            "agent", runtime.agent_load_state(core.AgentId("counter", "k"), {"wrong": 1})
        )

    same(scenario)
