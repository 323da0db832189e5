"""Factories: how agents are made, and how ids and agents are looked up."""

import asyncio

from .harness import same, yield_to_loop


def agent_class(core):
    class Echo(core.BaseAgent):
        async def on_message_impl(self, message, ctx):
            return message

    return Echo


def test_a_factory_may_be_async_and_knows_whom_it_makes():
    async def scenario(core, record):
        cls = agent_class(core)
        runtime = core.SingleThreadedAgentRuntime()

        async def build():
            context = core.AgentInstantiationContext
            record("building", context.current_agent_id())
            record(context.current_runtime() is runtime)
            await asyncio.sleep(0)
            record("still", context.current_agent_id())
            return cls("made")

        record(await cls.register(runtime, "slow", build))
        record(await runtime.register_factory(core.AgentType("plain"), lambda: cls("made")))
        runtime.start()
        record(await runtime.send_message("x", core.AgentId("slow", "k")))
        agent = await runtime.try_get_underlying_agent_instance(core.AgentId("slow", "k"))
        record(type(agent) is cls, agent.id, agent.runtime is runtime)
        record("outside", core.AgentInstantiationContext.is_in_factory_call())
        await runtime.stop()

    same(scenario)


def test_a_type_is_registered_once():
    async def scenario(core, record):
        cls = agent_class(core)
        runtime = core.SingleThreadedAgentRuntime()
        await cls.register(runtime, "a", lambda: cls("x"))
        await record.outcome("again", cls.register(runtime, "a", lambda: cls("x")))
        await record.outcome("factory", runtime.register_factory("a", lambda: cls("x")))

    same(scenario)


def test_a_factory_that_makes_another_class_is_refused():
    async def scenario(core, record):
        cls, other = agent_class(core), agent_class(core)

        class Derived(cls):
            pass

        class Other(other):
            pass

        runtime = core.SingleThreadedAgentRuntime()
        await cls.register(runtime, "wrong", lambda: Other("x"))
        await cls.register(runtime, "derived", lambda: Derived("x"))
        await runtime.register_factory("unchecked", lambda: Other("x"))
        runtime.start()
        for agent_type in ("wrong", "derived", "unchecked"):
            agent_id = core.AgentId(agent_type, "k")
            await record.outcome(agent_type, runtime.send_message("hello", agent_id))
        await runtime.stop_when_idle()

    same(scenario)


def test_a_factory_that_fails_fails_its_message_and_is_tried_again():
    async def scenario(core, record):
        cls = agent_class(core)
        failures = [ValueError("first"), KeyError("second")]

        def build():
            if failures:
                raise failures.pop(0)
            return cls("made")

        runtime = core.SingleThreadedAgentRuntime()
        await cls.register(runtime, "a", build)
        runtime.start()
        for _ in range(3):
            await record.outcome("send", runtime.send_message("x", core.AgentId("a", "k")))
        await runtime.stop_when_idle()

    same(scenario)


def test_a_factory_may_fail_with_any_kind_of_exception():
    class Odd(BaseException):
        pass

    async def scenario(core, record):
        cls = agent_class(core)
        failures = [asyncio.CancelledError(), Odd("odd")]

        async def build():
            if failures:
                raise failures.pop(0)
            return cls("made")

        runtime, agent = core.SingleThreadedAgentRuntime(), core.AgentId("a", "k")
        await cls.register(runtime, "a", build)
        runtime.start()
        await record.outcome("cancelled", runtime.send_message("x", agent), words=False)
        try:
            await runtime.send_message("x", agent)
        except Odd as error:
            record.raised("odd", error)
        record(await runtime.send_message("x", agent))
        await runtime.stop_when_idle()

    same(scenario)


def test_ids_are_looked_up_without_building_the_agent_unless_requested():
    async def scenario(core, record):
        cls = agent_class(core)

        def build():
            record("built", core.AgentInstantiationContext.current_agent_id())
            return cls("made")

        runtime = core.SingleThreadedAgentRuntime()
        await cls.register(runtime, "a", build)
        record(await runtime.get("a"))
        record(await runtime.get("a", "k"))
        record(await runtime.get(core.AgentType("a"), key="k"))
        record(await runtime.get(core.AgentId("a", "z")))
        record(await runtime.get("unknown"))
        await record.outcome("lazy", runtime.get("a", "k", lazy=False))
        await record.outcome("id", runtime.get(core.AgentId("a", "k"), lazy=False))
        await record.outcome("unknown", runtime.get("unknown", lazy=False))

    same(scenario)


def test_agents_are_returned_if_they_have_the_requested_class():
    async def scenario(core, record):
        cls = agent_class(core)

        class Other(agent_class(core)):
            pass

        runtime = core.SingleThreadedAgentRuntime()
        await cls.register(runtime, "a", lambda: cls("made"))
        get, agent_id = runtime.try_get_underlying_agent_instance, core.AgentId("a", "k")
        agent = await get(agent_id)
        record(agent is await get(agent_id, cls), agent is await get(agent_id, core.BaseAgent))
        await record.outcome("class", get(agent_id, Other))
        await record.outcome("unknown", get(core.AgentId("b", "k")))

    same(scenario)


def test_metadata_and_state_of_unknown_agents_are_lookup_errors():
    async def scenario(core, record):
        cls, runtime = agent_class(core), core.SingleThreadedAgentRuntime()
        await cls.register(runtime, "a", lambda: cls("is here"))
        metadata = await runtime.agent_metadata(core.AgentId("a", "k"))
        record(metadata["type"], metadata["key"], metadata["description"])
        unknown = core.AgentId("unknown", "k")
        await record.outcome("metadata", runtime.agent_metadata(unknown))
        await record.outcome("save", runtime.agent_save_state(unknown))
        await record.outcome("load", runtime.agent_load_state(unknown, {}))

    same(scenario)


def test_agents_and_ids_constructed_outside_a_runtime():
    async def scenario(core, record):
        cls = agent_class(core)
        agent = cls("alone")
        record(hasattr(agent, "_runtime"))
        record.call("description", lambda: cls(1))
        record.call("key", lambda: core.AgentId("not valid", "k"))
        record.call("text", lambda: core.AgentId.from_str("noslash"))
        await yield_to_loop(1)

    same(scenario)
