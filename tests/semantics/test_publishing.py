"""Published messages: each handler behaves as in its own task."""

import asyncio
import contextvars

import pytest

import ferrogen

from .world import Ask, World, turns, until

VARIABLE = contextvars.ContextVar("variable", default="untouched")


async def test_a_publish_returns_before_any_handler_has_begun(world):
    received = []

    async def handler(self, message, ctx):
        received.append(message.value)

    await world.agent("a", handler, topic="t")
    world.start()
    assert await world.publish("t", 1) is None
    assert received == []
    await world.idle()
    assert received == [1]


async def test_handlers_of_a_batch_have_a_task_and_context_variables_each(world):
    seen = []

    async def handler(self, message, ctx):
        seen.append((VARIABLE.get(), isinstance(asyncio.current_task(), asyncio.Task)))
        VARIABLE.set("touched")

    await world.agent("a", handler, topic="t")
    world.start()
    for _ in range(5):
        await world.publish("t")
    await world.idle()
    assert seen == [("untouched", True)] * 5
    assert VARIABLE.get() == "untouched"


async def test_a_suspended_handler_of_a_published_message_resumes_while_others_are_handled(world):
    events, gate = [], asyncio.Event()

    async def handler(self, message, ctx):
        events.append(("begin", message.value))
        if message.value == 0:
            await gate.wait()
        events.append(("end", message.value))

    await world.agent("a", handler, topic="t")
    world.start()
    for number in range(3):
        await world.publish("t", number)
    await until(lambda: ("end", 2) in events)
    assert ("end", 0) not in events
    gate.set()
    await world.idle()
    assert events[-1] == ("end", 0)


async def test_messages_are_delivered_in_the_order_of_publishing_and_subscribing(world):
    received = []

    async def handler(self, message, ctx):
        received.append((message.value, self.id.type))

    for name in "ab":
        await world.agent(name, handler, topic="t")
    world.start()
    for number in range(3):
        await world.publish("t", number)
    await world.idle()
    assert received == [(number, name) for number in range(3) for name in "ab"]


async def test_sends_between_publishes_keep_their_place(world):
    received = []

    async def handler(self, message, ctx):
        received.append(message.value)

    await world.agent("a", handler, topic="t")
    world.start()
    await world.publish("t", 1)
    await world.publish("t", 2)
    await world.ask("a", 3)
    await world.publish("t", 4)
    await world.ask("a", 5)
    await world.idle()
    assert received == [1, 2, 3, 4, 5]


async def test_a_publisher_does_not_receive_its_own_message(world):
    received = []

    async def handler(self, message, ctx):
        received.append((self.id.type, message.value))
        if message.value == "ask":
            topic = world.core.TopicId("t", "default")
            await self.publish_message(type(message)("told"), topic)

    await world.agent("a", handler, topic="t")
    await world.agent("b", handler, topic="t")
    world.start()
    await world.ask("a", "ask")
    await world.idle()
    assert received == [("a", "ask"), ("b", "told")]


async def test_all_recipients_get_the_same_token_and_message_id(world):
    seen = []

    async def handler(self, message, ctx):
        seen.append((ctx.cancellation_token, ctx.message_id, ctx.sender, ctx.topic_id, ctx.is_rpc))

    for name in "ab":
        await world.agent(name, handler, topic="t")
    world.start()
    await world.publish("t")
    await world.publish("t", message_id="mine")
    await world.idle()
    first, second, third, fourth = seen
    assert first == second
    assert third == fourth
    assert first[0] is not third[0]
    assert first[1] != third[1] == "mine"
    assert first[2:] == (None, world.core.TopicId("t", "default"), False)


async def test_a_subscription_counts_for_messages_that_are_taken_after_it(world):
    received = []

    async def handler(self, message, ctx):
        received.append((self.id.type, message.value))

    await world.agent("a", handler, topic="t")
    await world.agent("b", handler)
    world.start()
    await world.publish("t", 1)
    await turns()
    late = world.core.TypeSubscription("t", "b")
    await world.runtime.add_subscription(late)
    await world.publish("t", 2)
    await turns()
    await world.runtime.remove_subscription(late.id)
    await world.publish("t", 3)
    await world.idle()
    assert received == [("a", 1), ("a", 2), ("b", 2), ("a", 3)]


async def test_more_topics_than_are_remembered_reach_their_own_agents(world):
    received = []

    async def handler(self, message, ctx):
        received.append((self.id.key, message.value))

    await world.agent("a", handler, topic="t", keys=range(100))
    world.start()
    for around in range(2):
        for number in range(100):
            topic = world.core.TopicId("t", str(number))
            await world.runtime.publish_message(Ask(around), topic)
    await world.idle()
    assert sorted(received) == sorted((str(n), around) for around in range(2) for n in range(100))


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_error_that_ends_the_program_leaves_the_loop_and_the_rest_is_handled_later(error):
    received = []

    async def handler(self, message, ctx):
        received.append(message.value)
        if message.value == 1:
            raise error

    loop = asyncio.new_event_loop()
    world = World(ferrogen, "native")

    async def publish():
        await world.agent("a", handler)
        await world.runtime.add_subscription(ferrogen.TypeSubscription("t", "a"))
        world.start()
        for number in range(3):
            await world.runtime.publish_message(Ask(number), ferrogen.TopicId("t", "default"))
        await asyncio.Event().wait()

    with pytest.raises(error):
        loop.run_until_complete(publish())
    assert received == [0, 1]
    loop.run_until_complete(world.runtime.stop_when_idle())
    assert received == [0, 1, 2]
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(turns())
    loop.close()


async def test_a_publish_that_is_not_awaited_does_nothing_and_warns(world):
    received = []

    async def handler(self, message, ctx):
        received.append(message.value)

    await world.agent("a", handler, topic="t")
    world.start()
    with pytest.warns(RuntimeWarning, match="publish_message' was never awaited"):
        world.publish("t")
    await world.idle()
    assert received == []


async def test_what_one_recipient_does_to_its_context_the_next_does_not_see(world):
    seen = []

    async def changes(self, message, ctx):
        seen.append((ctx.topic_id.type, ctx.sender, ctx.is_rpc))
        ctx.topic_id = world.core.TopicId("changed", "by one")
        ctx.sender = self.id

    for name in ("first", "second", "third"):
        await world.agent(name, changes, topic="t")
    world.start()
    for _ in range(2):
        await world.publish("t")
        await turns()
    assert seen == [("t", None, False)] * 6


async def test_each_recipient_has_a_context_of_its_own_if_another_keeps_its(world):
    kept = []

    async def keeps(self, message, ctx):
        kept.append(ctx)

    for name in ("first", "second", "third"):
        await world.agent(name, keeps, topic="t")
    world.start()
    await world.publish("t", 1)
    await world.publish("t", 2)
    await turns()
    assert len({id(ctx) for ctx in kept}) == 6
    assert len({ctx.message_id for ctx in kept}) == 2
    assert {ctx.topic_id.type for ctx in kept} == {"t"}
