"""The structured events on the logger `autogen_core.events`."""

from dataclasses import dataclass

from pydantic import BaseModel

from .harness import same, yield_to_loop
from .observers import logged_events


@dataclass
class Note:
    text: str


class Model(BaseModel):
    number: int


async def listen(core, record, handle, work, *agent_types, **settings):
    """Run some work while listening, with agents that are there already."""

    class Agent(core.RoutedAgent):
        @core.message_handler
        async def on_message_of_any_kind(
            self, message: Note | Model, ctx: core.MessageContext
        ) -> Note | Model | None:
            return await handle(self, message)

    runtime = core.SingleThreadedAgentRuntime(**settings)
    for agent_type in agent_types or ("agent",):
        await Agent.register(runtime, agent_type, lambda: Agent("works"))
        await runtime.get(agent_type, "k", lazy=False)
    with logged_events() as events:
        runtime.start()
        await work(runtime)
        await runtime.stop_when_idle()
    for event in events:
        record(event)


def test_a_send_is_logged_in_four_events():
    async def scenario(core, record):
        async def handle(agent, message):
            return Model(number=len(message.text))

        async def work(runtime):
            await runtime.send_message(Note("hello"), core.AgentId("agent", "k"))

        await listen(core, record, handle, work)

    assert len(same(scenario).entries) == 4


def test_a_publish_is_logged_once_and_for_each_delivery():
    async def scenario(core, record):
        async def handle(agent, message): ...

        async def work(runtime):
            for agent_type in ("b", "a"):
                await runtime.add_subscription(core.TypeSubscription("t", agent_type))
            await runtime.publish_message(Note("news"), core.TopicId("t", "k"))
            await runtime.publish_message(Note("unseen"), core.TopicId("u", "k"))

        await listen(core, record, handle, work, "a", "b")

    assert len(same(scenario).entries) == 4


def test_senders_are_named():
    async def scenario(core, record):
        async def handle(agent, message):
            if message == Note("first"):
                await agent.send_message(Model(number=1), core.AgentId("b", "k"))
            if message == Note("second"):
                await agent.publish_message(Model(number=2), core.TopicId("b:", "k"))
                # Not tested: whether the response or the published message is handled first.
                await yield_to_loop(30)
            return message

        async def work(runtime):
            await runtime.send_message(Note("first"), core.AgentId("a", "k"))
            await runtime.send_message(Note("second"), core.AgentId("a", "k"))

        await listen(core, record, handle, work, "a", "b")

    same(scenario)


def test_errors_of_handlers_are_logged():
    async def scenario(core, record):
        async def handle(agent, message):
            raise ValueError(f"cannot take {message}")

        async def work(runtime):
            await record.outcome(
                "send", runtime.send_message(Note("x"), core.AgentId("agent", "k"))
            )
            await runtime.publish_message(Model(number=1), core.TopicId("agent:", "k"))

        await listen(core, record, handle, work)

    same(scenario)


def test_what_cannot_be_shown_says_so():
    class Opaque:
        pass

    async def scenario(core, record):
        class Agent(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                return message

        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "agent", lambda: Agent("works"))
        await runtime.get("agent", "k", lazy=False)
        with logged_events() as events:
            runtime.start()
            for message in (Opaque(), Note("not registered"), "text", None):
                await runtime.send_message(message, core.AgentId("agent", "k"))
            await runtime.stop_when_idle()
        record(events)

    same(scenario)


def test_dropped_messages_are_logged():
    async def scenario(core, record):
        class Dropping(core.DefaultInterventionHandler):
            async def on_send(self, message, *, message_context, recipient):
                return core.DropMessage if message == Note("drop") else message

            async def on_publish(self, message, *, message_context):
                return core.DropMessage

            async def on_response(self, message, *, sender, recipient):
                return core.DropMessage

        class Agent(core.RoutedAgent):
            @core.message_handler
            async def on_note(self, message: Note, ctx: core.MessageContext) -> Note:
                return Note("response")

        runtime = core.SingleThreadedAgentRuntime(intervention_handlers=[Dropping()])
        await Agent.register(runtime, "agent", lambda: Agent("works"))
        await runtime.get("agent", "k", lazy=False)
        with logged_events() as events:
            runtime.start()
            for text in ("drop", "send"):
                await record.outcome(
                    text,
                    runtime.send_message(Note(text), core.AgentId("agent", "k")),
                    words=False,
                )
            await runtime.publish_message(Note("x"), core.TopicId("agent:", "k"))
            await runtime.stop()
        record(*events)

    same(scenario)


def test_agents_that_cannot_be_built_are_logged():
    async def scenario(core, record):
        def build():
            raise ValueError("no wood")

        runtime = core.SingleThreadedAgentRuntime()
        await runtime.register_factory("agent", build)
        runtime.start()
        with logged_events() as events:
            await record.outcome("get", runtime.get("agent", "k", lazy=False))
            await record.outcome("metadata", runtime.agent_metadata(core.AgentId("agent", "k")))
            await runtime.stop_when_idle()
        for event in events:
            record(event)

    same(scenario)
