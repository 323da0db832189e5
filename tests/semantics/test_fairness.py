"""Fairness: a busy runtime does not starve other tasks of the event loop."""

import asyncio
from itertools import pairwise

from .world import Ask, turns, until


def spin():
    """Be busy for a while, so that a thousand messages are more than one slice of time."""
    return sum(range(3_000))


class Ticker:
    """A task that only yields; it records the progress of the others."""

    def __init__(self, progress):
        self.notes = []
        self._progress = progress
        self._task = asyncio.ensure_future(self._tick())

    async def _tick(self):
        while True:
            self.notes.append(self._progress())
            await asyncio.sleep(0)

    async def stop(self):
        self._task.cancel()
        await asyncio.wait({self._task})
        return self.notes


def longest_gap(notes):
    return max(after - before for before, after in pairwise(notes))


async def test_a_flood_of_sends_that_never_suspend_lets_others_run(world):
    handled = []

    async def handler(self, message, ctx):
        handled.append(1)

    await world.agent("a", handler)
    world.start()
    ticker = Ticker(lambda: len(handled))
    await asyncio.sleep(0)
    rounds = 1_000 if world.is_upstream else 4_000
    for _ in range(rounds):
        await world.ask("a")
    assert longest_gap([*await ticker.stop(), rounds]) <= rounds / 4


async def test_a_flood_of_nested_sends_lets_others_run(world):
    handled = []

    async def leaf(self, message, ctx):
        handled.append(1)

    async def handler(self, message, ctx):
        for _ in range(10):
            await self.send_message(Ask(), world.id("leaf"))

    await world.agent("leaf", leaf)
    await world.agent("a", handler)
    world.start()
    ticker = Ticker(lambda: len(handled))
    await asyncio.sleep(0)
    rounds = 100 if world.is_upstream else 800
    for _ in range(rounds):
        await world.ask("a")
    assert longest_gap([*await ticker.stop(), rounds * 10]) <= rounds * 5


async def test_a_handler_that_sends_forever_can_be_stopped_by_another_task(world):
    stop = []

    async def leaf(self, message, ctx):
        pass

    async def handler(self, message, ctx):
        rounds = 0
        while not stop:
            await self.send_message(Ask(), world.id("leaf"))
            rounds += 1
        return rounds

    await world.agent("leaf", leaf)
    await world.agent("a", handler)
    world.start()
    asked = asyncio.ensure_future(world.ask("a"))
    await turns(20)
    stop.append(1)
    assert await asked > 0


async def test_two_handlers_that_send_to_each_other_forever_can_be_stopped(world):
    stop, rounds = [], []

    async def pong(self, message, ctx):
        return "pong"

    async def ping(self, message, ctx):
        while not stop:
            assert await self.send_message(Ask(), world.id("pong")) == "pong"
            rounds.append(self.id.key)

    await world.agent("pong", pong)
    await world.agent("ping", ping, keys="xy")
    world.start()
    asked = [asyncio.ensure_future(world.ask("ping", key=key)) for key in "xy"]
    await until(lambda: set(rounds) == {"x", "y"})
    stop.append(1)
    await asyncio.gather(*asked)


async def test_a_flood_of_publishes_lets_others_run_while_it_is_handled(world):
    handled = []

    async def handler(self, message, ctx):
        handled.append(spin())

    await world.agent("a", handler, topic="t")
    world.start()
    ticker = Ticker(lambda: len(handled))
    for _ in range(2_000):
        await world.publish("t")
    await until(lambda: len(handled) == 2_000)
    notes = await ticker.stop()
    assert len({note for note in notes if 0 < note < 2_000}) >= 3


async def test_a_fan_out_to_many_agents_lets_others_run(world):
    handled = []

    async def handler(self, message, ctx):
        handled.append(spin())

    for number in range(100):
        await world.agent(f"a{number}", handler, topic="t")
    world.start()
    ticker = Ticker(lambda: len(handled))
    for _ in range(10):
        await world.publish("t")
    await until(lambda: len(handled) == 1_000)
    notes = await ticker.stop()
    assert len({note for note in notes if 0 < note < 1_000}) >= 3


async def test_agents_that_publish_to_each_other_forever_do_not_starve_the_loop(world):
    stop, handled = [], []

    async def handler(self, message, ctx):
        handled.append(1)
        if not stop:
            await self.publish_message(Ask(), world.core.TopicId("t", "default"))

    await world.agent("a", handler, topic="t")  # an agent does not receive what it publishes itself
    await world.agent("b", handler, topic="t")
    world.start()
    await world.ask("a")
    await turns(50)
    assert handled
    stop.append(1)
    await turns(50)
    settled = len(handled)
    await turns(50)
    assert len(handled) == settled


async def test_an_agent_that_sends_to_itself_forever_does_not_starve_the_loop(world):
    stop, handled = [], []

    async def handler(self, message, ctx):
        handled.append(1)
        if not stop:
            next_one = asyncio.ensure_future(self.send_message(Ask(), self.id))
            next_one.add_done_callback(lambda done: done.exception())

    await world.agent("a", handler)
    world.start()
    await world.ask("a")
    await turns(50)
    assert len(handled) > 1
    stop.append(1)
    await turns(50)


async def test_a_timer_fires_during_a_flood(world):
    async def handler(self, message, ctx):
        pass

    await world.agent("a", handler)
    world.start()
    fired = []
    asyncio.get_running_loop().call_later(0, fired.append, 1)
    sent = 0
    while not fired and sent < 1_000:
        await world.ask("a")
        sent += 1
    assert fired
