"""Routes: no state per topic source, and an invalid subscription affects no other."""

import enum
import gc
import tracemalloc

import pytest
from tests.compat.harness import both, yield_to_loop


class Counting:
    """A custom subscription that matches nothing and counts the calls of `is_match`."""

    def __init__(self, core):
        self.id = "counting"
        self.core = core
        self.times = 0

    def is_match(self, topic_id):
        self.times += 1
        return False

    def map_to_agent(self, topic_id):
        raise self.core.exceptions.CantHandleException


async def drain(runtime):
    while runtime.unprocessed_messages_count:
        await runtime.process_next()
    await yield_to_loop()


def test_adding_a_subscription_does_not_match_earlier_topics_again():
    async def scenario(core, record):
        runtime, counting = core.SingleThreadedAgentRuntime(), Counting(core)
        await runtime.add_subscription(counting)
        for n in range(50):
            await runtime.publish_message(n, core.TopicId("t", str(n)))
        await drain(runtime)
        record("after publishing", counting.times)
        await runtime.add_subscription(core.TypeSubscription("u", "agent"))
        await runtime.add_subscription(core.TypePrefixSubscription("u", "agent"))
        await runtime.remove_subscription("counting")
        record("after other changes", counting.times)

    upstream, ours = both(scenario)
    assert upstream == [["after publishing", 50], ["after other changes", 150]]
    assert ours == [["after publishing", 50], ["after other changes", 50]]


def test_topic_sources_use_no_memory():
    """Topics without subscribers: each subscribed agent needs memory until it is passivated."""

    async def scenario(core, record):
        runtime = core.SingleThreadedAgentRuntime()
        await runtime.add_subscription(core.TypeSubscription("other", "agent"))

        async def publish(first, count):
            for n in range(first, first + count):
                await runtime.publish_message(None, core.TopicId("t", f"source-{n}"))
                await runtime.process_next()
            await yield_to_loop()

        await publish(0, 100)
        gc.collect()
        tracemalloc.start()
        await publish(100, 1_000)
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        record("grows with each source", grown > 1_000 * 100)

    upstream, ours = both(scenario)
    assert upstream == [["grows with each source", True]]
    assert ours == [["grows with each source", False]]


@pytest.mark.parametrize("ignore", [True, False])
def test_a_subscription_of_an_unregistered_type_does_not_affect_other_recipients(ignore):
    async def scenario(core, record):
        class Agent(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                record("received", self.id)

        runtime = core.SingleThreadedAgentRuntime(ignore_unhandled_exceptions=ignore)
        for agent_type in ("a", "unknown", "c"):
            if agent_type != "unknown":
                await Agent.register(runtime, agent_type, lambda: Agent("listens"))
            await runtime.add_subscription(core.TypeSubscription("t", agent_type))
        runtime.start()
        await runtime.publish_message("x", core.TopicId("t", "k"))
        await yield_to_loop()
        await record.outcome("stop", runtime.stop())
        record("dead", [letter.receiver for letter in getattr(runtime, "dead_letters", ())])

    error = None if ignore else "raised LookupError: Agent with name unknown not found."
    upstream, ours = both(scenario)
    assert [list(entry) for entry in upstream] == [["stop", error], ["dead", []]]
    assert [list(entry) for entry in ours] == [
        ["received", "AgentId a/k"],
        ["received", "AgentId c/k"],
        ["stop", error],
        ["dead", ["AgentId unknown/k"]],
    ]


def test_an_agent_type_that_no_id_can_have_is_refused_at_registration():
    async def scenario(core, record):
        class Agent(core.BaseAgent):
            async def on_message_impl(self, message, ctx): ...

        runtime = core.SingleThreadedAgentRuntime()
        await record.outcome(
            "factory", runtime.register_factory("not valid", lambda: Agent("x")), words=False
        )
        await record.outcome(
            "subscription",
            runtime.add_subscription(core.TypeSubscription("t", "not valid")),
            words=False,
        )

    upstream, ours = both(scenario)
    assert [list(entry) for entry in upstream] == [
        ["factory", "AgentType not valid"],
        ["subscription", None],
    ]
    assert ours == [("factory", "raised ValueError"), ("subscription", "raised ValueError")]


def test_the_key_of_an_agent_id_is_text():
    async def scenario(core, record):
        try:
            record(core.AgentId("agent", 1).key)
        except TypeError as error:
            record.raised("key", error, words=False)

    assert both(scenario) == ([1], [("key", "raised TypeError")])


def test_the_parts_of_an_agent_id_are_plain_text():
    class Name(str):
        __slots__ = ()

    class Kind(str, enum.Enum):
        WRITER = "writer"

    async def scenario(core, record):
        for part in (Name("writer"), Kind.WRITER):
            agent_id = core.AgentId(part, part)
            record(type(agent_id.type).__name__, type(agent_id.key).__name__)
            record(agent_id == core.AgentId("writer", "writer"))

    upstream, ours = both(scenario)
    assert upstream == [["Name", "Name"], True, ["Kind", "Kind"], True]
    assert ours == [["str", "str"], True] * 2


def test_a_key_that_cannot_be_encoded_is_refused():
    async def scenario(core, record):
        class Agent(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                record("received", message)

        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "agent", lambda: Agent("listens"))
        runtime.start()

        async def send():
            await runtime.send_message("sent", core.AgentId("agent", "\ud800"))

        await record.outcome("send", send(), words=False)
        await runtime.publish_message("published", core.TopicId("agent:", "\ud800"))
        await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    assert upstream == [["received", "sent"], ["send", None], ["received", "published"]]
    assert ours == [("send", "raised ValueError")]


def test_a_pattern_with_wildcards_subscribes_to_many_topic_types():
    async def scenario(core, record):
        class Agent(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                record("received", message, self.id)

        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "agent", lambda: Agent("listens"))
        rule = getattr(core, "WildcardSubscription", core.TypeSubscription)
        await runtime.add_subscription(rule("orders.*.created", "agent"))
        for topic_type in ("orders.eu.created", "orders.created"):
            await runtime.publish_message(topic_type, core.TopicId(topic_type, "shop"))
        await drain(runtime)

    upstream, ours = both(scenario)
    assert upstream == []
    assert [list(entry) for entry in ours] == [
        ["received", "orders.eu.created", "AgentId agent/shop"]
    ]


def test_a_subscription_can_be_added_for_the_time_of_a_block():
    async def scenario(core, record):
        runtime = core.SingleThreadedAgentRuntime()
        rule = core.TypeSubscription("t", "agent")
        await record.outcome("add", runtime.add_subscription(rule))
        await record.outcome("remove", runtime.remove_subscription(rule.id))
        try:
            async with runtime.subscription(rule):
                record("in the block", len(runtime.subscriptions()))
            record("after the block", len(runtime.subscriptions()))
        except AttributeError as error:
            record.raised("block", error, words=False)

    same = [("add", None), ("remove", None)]
    upstream, ours = both(scenario)
    assert [tuple(entry) for entry in upstream] == [*same, ("block", "raised AttributeError")]
    assert [tuple(entry) for entry in ours] == [*same, ("in the block", 1), ("after the block", 0)]


def test_a_runtime_describes_its_agents_and_subscriptions():
    async def scenario(core, record):
        class Agent(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                return message

        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "agent", lambda: Agent("responds"))
        await runtime.get("agent", lazy=False)
        for name in ("agents", "subscriptions", "topology"):
            record(name, hasattr(runtime, name))
        if hasattr(runtime, "agents"):
            record([(info.id, info.state) for info in runtime.agents()])
            record([one.topics for one in runtime.topology().subscriptions])

    names = ("agents", "subscriptions", "topology")
    upstream, ours = both(scenario)
    assert [tuple(entry) for entry in upstream] == [(name, False) for name in names]
    assert [tuple(entry) for entry in ours[:3]] == [(name, True) for name in names]
    assert [tuple(entry) for entry in ours[3]] == [("AgentId agent/default", "ready")]
    assert ours[4] == ["agent:"]
