"""Publishing: recipients, deliveries and their order."""

import asyncio
from dataclasses import dataclass

from .harness import same, yield_to_loop


@dataclass
class News:
    text: str


def listener(core, record):
    """Make an agent class that records its messages."""

    class Listener(core.RoutedAgent):
        @core.message_handler
        async def on_news(self, message: News, ctx: core.MessageContext) -> None:
            record("received", self.id, message, ctx.sender, ctx.topic_id, ctx.is_rpc)

    return Listener


async def start_subscribers(core, record, *types, keys=()):
    """Start a runtime with listeners of the given types; those of the given keys are there."""
    runtime, cls = core.SingleThreadedAgentRuntime(), listener(core, record)
    for agent_type in types:
        await cls.register(runtime, agent_type, lambda: cls("listens"))
        for key in keys:
            await runtime.get(agent_type, key, lazy=False)
    runtime.start()
    return runtime


def test_a_topic_reaches_its_subscribers_in_the_order_of_subscribing():
    async def scenario(core, record):
        runtime = await start_subscribers(core, record, "c", "a", "b")
        for agent_type in ("b", "c", "a"):
            await runtime.add_subscription(core.TypeSubscription("news", agent_type))
        record(await runtime.publish_message(News("x"), core.TopicId("news", "s")))
        await runtime.publish_message(News("y"), core.TopicId("news", "other"))
        await runtime.publish_message(News("z"), core.TopicId("weather", "s"))
        await runtime.stop_when_idle()

    same(scenario)


def test_an_agent_with_two_matching_subscriptions_receives_twice():
    async def scenario(core, record):
        runtime = await start_subscribers(core, record, "a", "b", keys=["s"])
        await runtime.add_subscription(core.TypeSubscription("news", "a"))
        await runtime.add_subscription(core.TypePrefixSubscription("ne", "b"))
        await runtime.add_subscription(core.TypePrefixSubscription("new", "a"))
        await runtime.publish_message(News("x"), core.TopicId("news", "s"))
        await runtime.stop_when_idle()

    same(scenario)


def test_an_equal_subscription_is_refused():
    async def scenario(core, record):
        runtime = await start_subscribers(core, record, "a")
        first = core.TypeSubscription("news", "a")
        await runtime.add_subscription(first)
        for again in (
            first,
            core.TypeSubscription("news", "a"),
            core.TypeSubscription("other", "a", id=first.id),
            core.TypePrefixSubscription("a:", "a"),
            core.TypePrefixSubscription("news", "a"),
        ):
            await record.outcome("add", runtime.add_subscription(again))
        await runtime.stop()

    same(scenario)


def test_subscriptions_come_and_go():
    async def scenario(core, record):
        runtime = await start_subscribers(core, record, "a")
        subscription = core.TypeSubscription("news", "a")

        async def publish(text):
            await runtime.publish_message(News(text), core.TopicId("news", "s"))
            await yield_to_loop()

        await publish("before")
        await runtime.add_subscription(subscription)
        await publish("with")
        await runtime.remove_subscription(subscription.id)
        await publish("after")
        await record.outcome("again", runtime.remove_subscription(subscription.id))
        await runtime.stop_when_idle()

    same(scenario)


def test_the_sender_does_not_receive_its_message_but_others_of_its_type_do():
    async def scenario(core, record):
        runtime = await start_subscribers(core, record, "a", "b", keys=["s", "t"])
        for agent_type in ("a", "b"):
            await runtime.add_subscription(core.TypeSubscription("news", agent_type))
        await runtime.publish_message(
            News("x"), core.TopicId("news", "s"), sender=core.AgentId("a", "s")
        )
        await runtime.publish_message(
            News("y"), core.TopicId("news", "s"), sender=core.AgentId("a", "t")
        )
        await runtime.stop_when_idle()

    same(scenario)


def test_direct_topics_reach_one_agent_type():
    async def scenario(core, record):
        runtime = await start_subscribers(core, record, "a", "ab")
        for topic_type in ("a:", "a:anything", "ab:", "a"):
            record(topic_type)
            await runtime.publish_message(News("x"), core.TopicId(topic_type, "s"))
            await yield_to_loop()
        await runtime.stop_when_idle()

    same(scenario)


def test_the_default_topic_reaches_the_classes_that_subscribe_to_it():
    async def scenario(core, record):
        @core.default_subscription
        @core.type_subscription("weather")
        class Both(listener(core, record)):
            pass

        class Neither(Both):
            pass

        runtime = core.SingleThreadedAgentRuntime()
        await Both.register(runtime, "both", lambda: Both("has two subscriptions"))
        await Neither.register(runtime, "neither", lambda: Neither("does not inherit it"))
        await Both.register(runtime, "skips", lambda: Both("x"), skip_class_subscriptions=True)
        runtime.start()
        for topic in (
            core.DefaultTopicId(),
            core.DefaultTopicId(source="other"),
            core.DefaultTopicId(type="weather"),
            core.TopicId("weather", "x"),
        ):
            await runtime.publish_message(News("x"), topic)
        await runtime.stop_when_idle()

    same(scenario)


def test_custom_subscriptions_are_called():
    async def scenario(core, record):
        class Everything:
            id = "everything"

            def __eq__(self, other):
                return isinstance(other, Everything)

            __hash__ = None  # as Python would have it

            def is_match(self, topic_id):
                return topic_id.type != "secret"

            def map_to_agent(self, topic_id):
                return core.AgentId("a", f"{topic_id.type}-{topic_id.source}")

        runtime = await start_subscribers(core, record, "a")
        await runtime.add_subscription(Everything())
        await record.outcome("again", runtime.add_subscription(Everything()))
        for topic_type in ("x", "secret", "y"):
            await runtime.publish_message(News(topic_type), core.TopicId(topic_type, "s"))
        await runtime.stop_when_idle()
        await record.outcome("remove", runtime.remove_subscription("everything"))

    same(scenario)


def test_handlers_of_one_message_run_side_by_side():
    async def scenario(core, record):
        gate = asyncio.Event()

        class Waiting(core.RoutedAgent):
            @core.message_handler
            async def on_news(self, message: News, ctx: core.MessageContext) -> None:
                record("begin", self.id, message.text)
                await gate.wait()
                record("end", self.id, message.text)

        runtime = core.SingleThreadedAgentRuntime()
        for agent_type in ("a", "b"):
            await Waiting.register(runtime, agent_type, lambda: Waiting("waits"))
            await runtime.add_subscription(core.TypeSubscription("news", agent_type))
        runtime.start()
        for text in ("one", "two"):
            await runtime.publish_message(News(text), core.TopicId("news", "s"))
        await yield_to_loop()
        gate.set()
        await runtime.stop_when_idle()

    same(scenario)


def test_an_error_in_one_handler_does_not_keep_the_others_from_theirs():
    async def scenario(core, record):
        class Failing(core.RoutedAgent):
            @core.message_handler
            async def on_news(self, message: News, ctx: core.MessageContext) -> None:
                record("received", self.id)
                if self.id.type == "b":
                    raise ValueError("not today")

        runtime = core.SingleThreadedAgentRuntime()
        for agent_type in ("a", "b", "c"):
            await Failing.register(runtime, agent_type, lambda: Failing("fails at times"))
            await runtime.add_subscription(core.TypeSubscription("news", agent_type))
        runtime.start()
        for _ in range(2):
            await runtime.publish_message(News("x"), core.TopicId("news", "s"))
        record(await runtime.stop_when_idle())

    same(scenario)


def test_a_message_without_a_subscriber_is_not_an_error():
    async def scenario(core, record):
        runtime = await start_subscribers(core, record)
        record(await runtime.publish_message(News("x"), core.TopicId("news", "s")))
        record(await runtime.stop_when_idle())

    same(scenario)
