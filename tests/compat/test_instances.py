"""Agents that exist before they are registered."""

from dataclasses import dataclass

from .harness import same


@dataclass
class Note:
    text: str


def agent_class(core, record):
    class Keeper(core.RoutedAgent):
        @core.message_handler
        async def on_text(self, message: Note, ctx: core.MessageContext) -> str:
            record("received", self.id, message, ctx.topic_id)
            return f"{self.metadata['description']}: {message.text}"

    return Keeper


def test_an_instance_responds_under_its_id_only():
    async def scenario(core, record):
        cls, runtime = agent_class(core, record), core.SingleThreadedAgentRuntime()
        agent = cls("kept")
        record(await agent.register_instance(runtime, core.AgentId("keeper", "one")))
        record(agent.id, agent.runtime is runtime)
        runtime.start()
        record(await runtime.send_message(Note("hello"), core.AgentId("keeper", "one")))
        found = await runtime.try_get_underlying_agent_instance(core.AgentId("keeper", "one"))
        record(found is agent)
        await record.outcome(
            "another key",
            runtime.send_message(Note("hello"), core.AgentId("keeper", "two")),
            words=False,
        )
        await runtime.stop_when_idle()

    same(scenario)


def test_an_instance_receives_its_key_and_its_direct_topic():
    async def scenario(core, record):
        cls, runtime = agent_class(core, record), core.SingleThreadedAgentRuntime()
        await cls("kept").register_instance(runtime, core.AgentId("keeper", "one"))
        runtime.start()
        for topic_type, source in (("one", "one"), ("keeper:", "one"), ("two", "one")):
            await runtime.publish_message(Note("news"), core.TopicId(topic_type, source))
        await runtime.stop_when_idle()

    same(scenario)


def test_an_instance_has_the_subscriptions_of_its_class_only_if_requested():
    async def scenario(core, record):
        @core.default_subscription
        class Keeper(agent_class(core, record)):
            pass

        for skip in (True, False):
            record("skip", skip)
            runtime = core.SingleThreadedAgentRuntime()
            await Keeper("kept").register_instance(
                runtime, core.AgentId("keeper", "mine"), skip_class_subscriptions=skip
            )
            runtime.start()
            await runtime.publish_message(Note("news"), core.DefaultTopicId(source="mine"))
            await runtime.stop_when_idle()

    same(scenario)


def test_instances_of_one_type_have_one_class():
    async def scenario(core, record):
        cls, runtime = agent_class(core, record), core.SingleThreadedAgentRuntime()

        class Other(cls):
            pass

        register = runtime.register_agent_instance
        await register(cls("a"), core.AgentId("keeper", "a"))
        await record.outcome("second", register(cls("b"), core.AgentId("keeper", "b")))
        await record.outcome("class", register(Other("c"), core.AgentId("keeper", "c")))
        await record.outcome("taken", register(cls("a"), core.AgentId("keeper", "a")))

    same(scenario)


def test_a_type_has_a_factory_or_instances():
    async def scenario(core, record):
        cls, runtime = agent_class(core, record), core.SingleThreadedAgentRuntime()
        await cls.register(runtime, "made", lambda: cls("x"))
        await runtime.register_agent_instance(cls("x"), core.AgentId("kept", "a"))
        await record.outcome(
            "instance",
            runtime.register_agent_instance(cls("x"), core.AgentId("made", "a")),
        )
        await record.outcome("factory", runtime.register_factory("kept", lambda: cls("x")))

    same(scenario)


def test_an_agent_is_bound_once():
    async def scenario(core, record):
        cls = agent_class(core, record)
        first, second = core.SingleThreadedAgentRuntime(), core.SingleThreadedAgentRuntime()
        agent = cls("kept")
        await agent.register_instance(first, core.AgentId("keeper", "a"))
        await record.outcome("id", agent.register_instance(first, core.AgentId("keeper", "b")))
        await record.outcome(
            "runtime", agent.register_instance(second, core.AgentId("keeper", "a"))
        )

    same(scenario)
