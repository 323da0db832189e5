"""Published messages: each handler behaves as in its own task."""

import asyncio
import contextvars

import pytest

import ferrogen

from .scenario import Ask, Scenario, until, yield_to_loop

VARIABLE = contextvars.ContextVar("variable", default="untouched")


async def test_a_publish_returns_before_any_handler_has_begun(scenario):
    received = []

    async def handler(self, message, ctx):
        received.append(message.value)

    await scenario.agent("a", handler, topic="t")
    scenario.start()
    assert await scenario.publish("t", 1) is None
    assert received == []
    await scenario.idle()
    assert received == [1]


async def test_handlers_of_a_batch_have_a_task_and_context_variables_each(scenario):
    seen = []

    async def handler(self, message, ctx):
        seen.append((VARIABLE.get(), isinstance(asyncio.current_task(), asyncio.Task)))
        VARIABLE.set("touched")

    await scenario.agent("a", handler, topic="t")
    scenario.start()
    for _ in range(5):
        await scenario.publish("t")
    await scenario.idle()
    assert seen == [("untouched", True)] * 5
    assert VARIABLE.get() == "untouched"


async def test_a_suspended_handler_of_a_published_message_resumes_while_others_are_handled(
    scenario,
):
    events, gate = [], asyncio.Event()

    async def handler(self, message, ctx):
        events.append(("begin", message.value))
        if message.value == 0:
            await gate.wait()
        events.append(("end", message.value))

    await scenario.agent("a", handler, topic="t")
    scenario.start()
    for number in range(3):
        await scenario.publish("t", number)
    await until(lambda: ("end", 2) in events)
    assert ("end", 0) not in events
    gate.set()
    await scenario.idle()
    assert events[-1] == ("end", 0)


async def test_messages_are_delivered_in_the_order_of_publishing_and_subscribing(scenario):
    received = []

    async def handler(self, message, ctx):
        received.append((message.value, self.id.type))

    for name in "ab":
        await scenario.agent(name, handler, topic="t")
    scenario.start()
    for number in range(3):
        await scenario.publish("t", number)
    await scenario.idle()
    assert received == [(number, name) for number in range(3) for name in "ab"]


async def test_sends_between_publishes_keep_their_place(scenario):
    received = []

    async def handler(self, message, ctx):
        received.append(message.value)

    await scenario.agent("a", handler, topic="t")
    scenario.start()
    await scenario.publish("t", 1)
    await scenario.publish("t", 2)
    await scenario.ask("a", 3)
    await scenario.publish("t", 4)
    await scenario.ask("a", 5)
    await scenario.idle()
    assert received == [1, 2, 3, 4, 5]


async def test_a_publisher_does_not_receive_its_own_message(scenario):
    received = []

    async def handler(self, message, ctx):
        received.append((self.id.type, message.value))
        if message.value == "ask":
            topic = scenario.core.TopicId("t", "default")
            await self.publish_message(type(message)("published"), topic)

    await scenario.agent("a", handler, topic="t")
    await scenario.agent("b", handler, topic="t")
    scenario.start()
    await scenario.ask("a", "ask")
    await scenario.idle()
    assert received == [("a", "ask"), ("b", "published")]


async def test_all_recipients_get_the_same_token_and_message_id(scenario):
    seen = []

    async def handler(self, message, ctx):
        seen.append((ctx.cancellation_token, ctx.message_id, ctx.sender, ctx.topic_id, ctx.is_rpc))

    for name in "ab":
        await scenario.agent(name, handler, topic="t")
    scenario.start()
    await scenario.publish("t")
    await scenario.publish("t", message_id="mine")
    await scenario.idle()
    first, second, third, fourth = seen
    assert first == second
    assert third == fourth
    assert first[0] is not third[0]
    assert first[1] != third[1] == "mine"
    assert first[2:] == (None, scenario.core.TopicId("t", "default"), False)


async def test_a_subscription_counts_for_messages_that_are_taken_after_it(scenario):
    received = []

    async def handler(self, message, ctx):
        received.append((self.id.type, message.value))

    await scenario.agent("a", handler, topic="t")
    await scenario.agent("b", handler)
    scenario.start()
    await scenario.publish("t", 1)
    await yield_to_loop()
    late = scenario.core.TypeSubscription("t", "b")
    await scenario.runtime.add_subscription(late)
    await scenario.publish("t", 2)
    await yield_to_loop()
    await scenario.runtime.remove_subscription(late.id)
    await scenario.publish("t", 3)
    await scenario.idle()
    assert received == [("a", 1), ("a", 2), ("b", 2), ("a", 3)]


async def test_more_topics_than_are_remembered_reach_their_own_agents(scenario):
    received = []

    async def handler(self, message, ctx):
        received.append((self.id.key, message.value))

    await scenario.agent("a", handler, topic="t", keys=range(100))
    scenario.start()
    for around in range(2):
        for number in range(100):
            topic = scenario.core.TopicId("t", str(number))
            await scenario.runtime.publish_message(Ask(around), topic)
    await scenario.idle()
    assert sorted(received) == sorted((str(n), around) for around in range(2) for n in range(100))


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_error_that_ends_the_program_leaves_the_loop_and_the_rest_is_handled_later(error):
    received = []

    async def handler(self, message, ctx):
        received.append(message.value)
        if message.value == 1:
            raise error

    loop = asyncio.new_event_loop()
    scenario = Scenario(ferrogen, "inline")

    async def publish():
        await scenario.agent("a", handler)
        await scenario.runtime.add_subscription(ferrogen.TypeSubscription("t", "a"))
        scenario.start()
        for number in range(3):
            await scenario.runtime.publish_message(Ask(number), ferrogen.TopicId("t", "default"))
        await asyncio.Event().wait()

    with pytest.raises(error):
        loop.run_until_complete(publish())
    assert received == [0, 1]
    loop.run_until_complete(scenario.runtime.stop_when_idle())
    assert received == [0, 1, 2]
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(yield_to_loop())
    loop.close()


async def test_a_publish_that_is_not_awaited_does_nothing_and_warns(scenario):
    received = []

    async def handler(self, message, ctx):
        received.append(message.value)

    await scenario.agent("a", handler, topic="t")
    scenario.start()
    with pytest.warns(RuntimeWarning, match="publish_message' was never awaited"):
        scenario.publish("t")
    await scenario.idle()
    assert received == []


async def test_what_one_recipient_does_to_its_context_the_next_does_not_see(scenario):
    seen = []

    async def changes(self, message, ctx):
        seen.append((ctx.topic_id.type, ctx.sender, ctx.is_rpc))
        ctx.topic_id = scenario.core.TopicId("changed", "by one")
        ctx.sender = self.id

    for name in ("first", "second", "third"):
        await scenario.agent(name, changes, topic="t")
    scenario.start()
    for _ in range(2):
        await scenario.publish("t")
        await yield_to_loop()
    assert seen == [("t", None, False)] * 6


async def test_each_recipient_has_a_context_of_its_own_if_another_keeps_its(scenario):
    kept = []

    async def keeps(self, message, ctx):
        kept.append(ctx)

    for name in ("first", "second", "third"):
        await scenario.agent(name, keeps, topic="t")
    scenario.start()
    await scenario.publish("t", 1)
    await scenario.publish("t", 2)
    await yield_to_loop()
    assert len({id(ctx) for ctx in kept}) == 6
    assert len({ctx.message_id for ctx in kept}) == 2
    assert {ctx.topic_id.type for ctx in kept} == {"t"}
