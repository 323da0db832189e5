"""O1: messages of one sender to one agent are started in the order of sending."""

import asyncio

import pytest

from .scenario import Ask, until, yield_to_loop


async def logging_agent(scenario, name="a"):
    started = []

    async def handler(self, message, ctx):
        started.append(message.value)
        if message.value == "suspend":
            await asyncio.sleep(0)

    await scenario.agent(name, handler, topic="t")
    return started


async def test_publishes_before_a_send_are_handled_first(scenario):
    started = await logging_agent(scenario)
    scenario.start()
    await scenario.ask("a", "first")
    for number in range(3):
        await scenario.publish("t", number)
    await scenario.ask("a", "sent")
    await scenario.publish("t", "last")
    await until(lambda: len(started) == 6)
    assert started == ["first", 0, 1, 2, "sent", "last"]


async def test_publishes_of_a_handler_before_its_send_are_handled_first(scenario):
    started = await logging_agent(scenario)

    async def sender(self, message, ctx):
        topic = scenario.core.TopicId("t", "default")
        for number in range(3):
            await self.publish_message(Ask(number), topic)
        await self.send_message(Ask("sent"), scenario.id("a"))
        await self.publish_message(Ask("last"), topic)

    await scenario.agent("sender", sender)
    scenario.start()
    await scenario.ask("a", "first")
    await scenario.ask("sender")
    await until(lambda: len(started) == 6)
    assert started == ["first", 0, 1, 2, "sent", "last"]


async def test_concurrent_sends_are_started_in_the_order_of_their_tasks(scenario):
    started = await logging_agent(scenario)
    scenario.start()
    await asyncio.gather(*(scenario.ask("a", number) for number in range(50)))
    assert started == list(range(50))


async def test_a_send_does_not_overtake_one_that_waits_in_a_task(scenario):
    started = await logging_agent(scenario)
    scenario.start()
    earlier = asyncio.ensure_future(scenario.ask("a", "earlier"))
    await asyncio.sleep(0)  # its first step: the message is accepted
    await scenario.ask("a", "later")
    await earlier
    assert started == ["earlier", "later"]


async def test_messages_accepted_before_the_start_come_first(scenario):
    started = await logging_agent(scenario)
    early = asyncio.ensure_future(scenario.ask("a", "early"))
    await yield_to_loop(2)
    await scenario.publish("t", "published early")
    scenario.start()
    await scenario.ask("a", "late")
    await early
    assert started == ["early", "published early", "late"]


async def test_the_order_holds_for_each_pair_of_sender_and_agent(scenario):
    started = {name: [] for name in "abc"}

    async def handler(self, message, ctx):
        started[self.id.type].append(message.value)
        if message.value[1] % 3 == 0:
            await asyncio.sleep(0)

    async def sender(self, message, ctx):
        for number in range(30):
            name = "abc"[number % 3]
            if number % 2:
                topic = scenario.core.TopicId(name, "default")
                await self.publish_message(Ask((self.id.key, number)), topic)
            else:
                await self.send_message(Ask((self.id.key, number)), scenario.id(name))
            if number % 5 == 0:
                await asyncio.sleep(0)

    for name in "abc":
        await scenario.agent(name, handler, topic=name)
    await scenario.agent("sender", sender, keys=range(5))
    scenario.start()
    await asyncio.gather(*(scenario.ask("sender", key=str(key)) for key in range(5)))
    await until(lambda: sum(map(len, started.values())) == 150)
    for values in started.values():
        for key in range(5):
            numbers = [number for sender_key, number in values if sender_key == str(key)]
            assert numbers == sorted(numbers)


async def test_subscribers_to_one_topic_see_all_publishes_in_one_order(scenario):
    started = {name: [] for name in "abc"}

    async def handler(self, message, ctx):
        started[self.id.type].append(message.value)
        if message.value % 4 == 0:
            await asyncio.sleep(0)

    for name in "abc":
        await scenario.agent(name, handler, topic="t")
    scenario.start()
    for number in range(100):
        await scenario.publish("t", number)
    await until(lambda: all(len(values) == 100 for values in started.values()))
    assert list(started.values()) == [list(range(100))] * 3


async def test_a_handler_that_publishes_is_not_interrupted_by_its_subscribers(scenario):
    """Publishing only hands a message over; nothing is handled before the publisher waits."""
    seen = []

    async def subscriber(self, message, ctx):
        seen.append("handled")

    async def publisher(self, message, ctx):
        await self.publish_message(Ask(), scenario.core.TopicId("t", "default"))
        seen.append("published")

    await scenario.agent("subscriber", subscriber, topic="t")
    await scenario.agent("publisher", publisher)
    scenario.start()
    await scenario.ask("publisher")
    await until(lambda: len(seen) == 2)
    assert seen == ["published", "handled"]


async def test_responses_arrive_in_the_order_in_which_handlers_end(scenario):
    gates = {name: asyncio.Event() for name in "abc"}
    ended = []

    async def handler(self, message, ctx):
        await gates[message.value].wait()
        ended.append(message.value)
        return message.value

    async def asks(name):
        ended.append("response " + await scenario.ask("a", name))

    await scenario.agent("a", handler)
    scenario.start()
    asking = [asyncio.ensure_future(asks(name)) for name in "abc"]
    await yield_to_loop(30)
    for name in "cab":
        gates[name].set()
        await yield_to_loop()
    await asyncio.gather(*asking)
    assert ended == ["c", "response c", "a", "response a", "b", "response b"]


@pytest.mark.parametrize("taken_for", range(4))
async def test_a_send_overtakes_no_publish_that_was_taken_before(scenario, taken_for):
    order = []

    async def note(self, message, ctx):
        order.append(message.value)

    await scenario.agent("a", note, topic="news")
    scenario.start()
    await scenario.publish("news", 1)
    await yield_to_loop(taken_for)
    await scenario.ask("a", 2)
    assert order == [1, 2]


async def test_a_consequence_does_not_reach_an_agent_before_its_cause(scenario):
    """Of two subscribers of a message, the first sends another message to the second."""
    received = []

    async def first(self, message, ctx):
        received.append(await self.send_message(Ask("consequence"), scenario.id("second")))

    async def second(self, message, ctx):
        received.append(message.value)
        return "answered"

    await scenario.agent("first", first, topic="t")
    await scenario.agent("second", second, topic="t")
    scenario.start()
    await scenario.publish("t", "cause")
    await until(lambda: len(received) == 3)
    assert received == ["cause", "consequence", "answered"]


async def test_a_consequence_by_way_of_another_agent_does_not_either(scenario):
    received = []

    async def first(self, message, ctx):
        await self.send_message(Ask(), scenario.id("between"))

    async def between(self, message, ctx):
        await self.send_message(Ask("consequence"), scenario.id("last"))

    async def last(self, message, ctx):
        received.append(message.value)

    await scenario.agent("first", first, topic="t")
    await scenario.agent("other", last, topic="t")
    await scenario.agent("last", last, topic="t")
    await scenario.agent("between", between)
    scenario.start()
    await scenario.publish("t", "cause")
    await until(lambda: len(received) == 3)
    assert received == ["cause", "cause", "consequence"]
