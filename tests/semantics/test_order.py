"""O1: messages of one sender to one agent are started in the order of sending."""

import asyncio

import pytest

from .world import Ask, turns, until


async def logging_agent(world, name="a"):
    started = []

    async def handler(self, message, ctx):
        started.append(message.value)
        if message.value == "suspend":
            await asyncio.sleep(0)

    await world.agent(name, handler, topic="t")
    return started


async def test_publishes_before_a_send_are_handled_first(world):
    started = await logging_agent(world)
    world.start()
    await world.ask("a", "first")
    for number in range(3):
        await world.publish("t", number)
    await world.ask("a", "sent")
    await world.publish("t", "last")
    await until(lambda: len(started) == 6)
    assert started == ["first", 0, 1, 2, "sent", "last"]


async def test_publishes_of_a_handler_before_its_send_are_handled_first(world):
    started = await logging_agent(world)

    async def sender(self, message, ctx):
        topic = world.core.TopicId("t", "default")
        for number in range(3):
            await self.publish_message(Ask(number), topic)
        await self.send_message(Ask("sent"), world.id("a"))
        await self.publish_message(Ask("last"), topic)

    await world.agent("sender", sender)
    world.start()
    await world.ask("a", "first")
    await world.ask("sender")
    await until(lambda: len(started) == 6)
    assert started == ["first", 0, 1, 2, "sent", "last"]


async def test_concurrent_sends_are_started_in_the_order_of_their_tasks(world):
    started = await logging_agent(world)
    world.start()
    await asyncio.gather(*(world.ask("a", number) for number in range(50)))
    assert started == list(range(50))


async def test_a_send_does_not_overtake_one_that_waits_in_a_task(world):
    started = await logging_agent(world)
    world.start()
    earlier = asyncio.ensure_future(world.ask("a", "earlier"))
    await asyncio.sleep(0)  # its first step: the message is accepted
    await world.ask("a", "later")
    await earlier
    assert started == ["earlier", "later"]


async def test_messages_accepted_before_the_start_come_first(world):
    started = await logging_agent(world)
    early = asyncio.ensure_future(world.ask("a", "early"))
    await turns(2)
    await world.publish("t", "published early")
    world.start()
    await world.ask("a", "late")
    await early
    assert started == ["early", "published early", "late"]


async def test_the_order_holds_for_each_pair_of_sender_and_agent(world):
    started = {name: [] for name in "abc"}

    async def handler(self, message, ctx):
        started[self.id.type].append(message.value)
        if message.value[1] % 3 == 0:
            await asyncio.sleep(0)

    async def sender(self, message, ctx):
        for number in range(30):
            name = "abc"[number % 3]
            if number % 2:
                topic = world.core.TopicId(name, "default")
                await self.publish_message(Ask((self.id.key, number)), topic)
            else:
                await self.send_message(Ask((self.id.key, number)), world.id(name))
            if number % 5 == 0:
                await asyncio.sleep(0)

    for name in "abc":
        await world.agent(name, handler, topic=name)
    await world.agent("sender", sender, keys=range(5))
    world.start()
    await asyncio.gather(*(world.ask("sender", key=str(key)) for key in range(5)))
    await until(lambda: sum(map(len, started.values())) == 150)
    for values in started.values():
        for key in range(5):
            numbers = [number for sender_key, number in values if sender_key == str(key)]
            assert numbers == sorted(numbers)


async def test_subscribers_to_one_topic_see_all_publishes_in_one_order(world):
    started = {name: [] for name in "abc"}

    async def handler(self, message, ctx):
        started[self.id.type].append(message.value)
        if message.value % 4 == 0:
            await asyncio.sleep(0)

    for name in "abc":
        await world.agent(name, handler, topic="t")
    world.start()
    for number in range(100):
        await world.publish("t", number)
    await until(lambda: all(len(values) == 100 for values in started.values()))
    assert list(started.values()) == [list(range(100))] * 3


async def test_a_handler_that_publishes_is_not_interrupted_by_its_subscribers(world):
    """Publishing only hands a message over; nothing is handled before the publisher waits."""
    seen = []

    async def subscriber(self, message, ctx):
        seen.append("handled")

    async def publisher(self, message, ctx):
        await self.publish_message(Ask(), world.core.TopicId("t", "default"))
        seen.append("published")

    await world.agent("subscriber", subscriber, topic="t")
    await world.agent("publisher", publisher)
    world.start()
    await world.ask("publisher")
    await until(lambda: len(seen) == 2)
    assert seen == ["published", "handled"]


async def test_responses_arrive_in_the_order_in_which_handlers_end(world):
    gates = {name: asyncio.Event() for name in "abc"}
    ended = []

    async def handler(self, message, ctx):
        await gates[message.value].wait()
        ended.append(message.value)
        return message.value

    async def asks(name):
        ended.append("answer " + await world.ask("a", name))

    await world.agent("a", handler)
    world.start()
    asking = [asyncio.ensure_future(asks(name)) for name in "abc"]
    await turns(30)
    for name in "cab":
        gates[name].set()
        await turns()
    await asyncio.gather(*asking)
    assert ended == ["c", "answer c", "a", "answer a", "b", "answer b"]


@pytest.mark.parametrize("taken_for", range(4))
async def test_a_send_overtakes_no_publish_that_was_taken_before(world, taken_for):
    order = []

    async def note(self, message, ctx):
        order.append(message.value)

    await world.agent("a", note, topic="news")
    world.start()
    await world.publish("news", 1)
    await turns(taken_for)
    await world.ask("a", 2)
    assert order == [1, 2]


async def test_a_consequence_does_not_reach_an_agent_before_its_cause(world):
    """Of two subscribers of a message, the first sends another message to the second."""
    received = []

    async def first(self, message, ctx):
        received.append(await self.send_message(Ask("consequence"), world.id("second")))

    async def second(self, message, ctx):
        received.append(message.value)
        return "answered"

    await world.agent("first", first, topic="t")
    await world.agent("second", second, topic="t")
    world.start()
    await world.publish("t", "cause")
    await until(lambda: len(received) == 3)
    assert received == ["cause", "consequence", "answered"]


async def test_a_consequence_by_way_of_another_agent_does_not_either(world):
    received = []

    async def first(self, message, ctx):
        await self.send_message(Ask(), world.id("between"))

    async def between(self, message, ctx):
        await self.send_message(Ask("consequence"), world.id("last"))

    async def last(self, message, ctx):
        received.append(message.value)

    await world.agent("first", first, topic="t")
    await world.agent("other", last, topic="t")
    await world.agent("last", last, topic="t")
    await world.agent("between", between)
    world.start()
    await world.publish("t", "cause")
    await until(lambda: len(received) == 3)
    assert received == ["cause", "cause", "consequence"]
