"""Dead letters: messages that no handler gets are kept, and reported once for each kind."""

import logging
from dataclasses import dataclass

from tests.compat.harness import both


@dataclass
class Text:
    text: str


class WarningList(logging.Handler):
    """Collects the warnings of the runtime."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def dead_letters(runtime):
    letters = getattr(runtime, "dead_letters", [])
    return [(one.message, one.receiver, type(one.reason).__name__) for one in letters]


async def publish_twice(core, record, agent_class, *topics):
    """Publish to each topic twice; record the dead letters and the number of warnings."""
    warnings = WarningList()
    logging.getLogger(core.ROOT_LOGGER_NAME).addHandler(warnings)
    try:
        runtime = core.SingleThreadedAgentRuntime()
        await agent_class.register(runtime, "agent", lambda: agent_class("handles text"))
        runtime.start()
        for topic in topics:
            for _ in range(2):
                await runtime.publish_message(1, topic)
        await runtime.stop_when_idle()
    finally:
        logging.getLogger(core.ROOT_LOGGER_NAME).removeHandler(warnings)
    record(dead_letters(runtime))
    record("warnings", len(warnings.texts))


def text_agent(core):
    class Agent(core.RoutedAgent):
        @core.message_handler
        async def handle(self, message: Text, ctx: core.MessageContext) -> None: ...

    return Agent


def test_a_message_to_a_topic_without_subscriber_is_a_dead_letter():
    async def scenario(core, record):
        topics = (core.TopicId("news", "a"), core.TopicId("news", "b"))
        await publish_twice(core, record, text_agent(core), *topics)

    upstream, ours = both(scenario)
    first, second = ([1, f"TopicId news/{key}", "NoSubscriberError"] for key in "ab")
    assert upstream == [[], ["warnings", 0]]
    assert ours == [[first, first, second, second], ["warnings", 1]]


def test_a_message_without_handler_is_a_dead_letter():
    async def scenario(core, record):
        await publish_twice(core, record, text_agent(core), core.TopicId("agent:", "k"))

    upstream, ours = both(scenario)
    letter = [1, "AgentId agent/k", "UnhandledMessageError"]
    assert upstream == [[], ["warnings", 0]]
    assert ours == [[letter, letter], ["warnings", 1]]


def failing_agent(core):
    class Agent(core.RoutedAgent):
        @core.message_handler
        async def handle(self, message: Text, ctx: core.MessageContext) -> None:
            raise ValueError(message.text)

    return Agent


def test_a_published_message_whose_handler_raises_is_a_dead_letter():
    async def scenario(core, record):
        agent_class = failing_agent(core)
        runtime = core.SingleThreadedAgentRuntime()
        for name in ("one", "other"):
            await agent_class.register(runtime, name, lambda: agent_class("raises"))
            await runtime.add_subscription(core.TypeSubscription("news", name))
        runtime.start()
        await runtime.publish_message(Text("x"), core.TopicId("news", "a"))
        await runtime.stop_when_idle()
        letters = dead_letters(runtime)
        record([(message.text, *rest) for message, *rest in letters])

    upstream, ours = both(scenario)
    assert upstream == [[]]
    assert ours == [[["x", f"AgentId {name}/a", "ValueError"] for name in ("one", "other")]]


def test_a_message_that_is_dropped_is_a_dead_letter():
    async def scenario(core, record):
        class Drops(core.DefaultInterventionHandler):
            async def on_send(self, message, *, message_context, recipient):
                return core.DropMessage

        runtime = core.SingleThreadedAgentRuntime(intervention_handlers=[Drops()])
        agent_class = failing_agent(core)
        await agent_class.register(runtime, "agent", lambda: agent_class("raises"))
        runtime.start()
        sending = runtime.send_message("x", core.AgentId("agent", "k"))
        await record.outcome("send", sending, words=False)
        record(dead_letters(runtime))
        await runtime.stop()

    upstream, ours = both(scenario)
    assert upstream == [("send", "raised MessageDroppedException"), []]
    assert ours == [
        ("send", "raised MessageDroppedException"),
        [["x", "AgentId agent/k", "MessageDroppedException"]],
    ]
