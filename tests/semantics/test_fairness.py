"""Fairness: a busy runtime does not starve other tasks of the event loop."""

import asyncio
from itertools import pairwise

from .scenario import Ask, until, yield_to_loop


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


async def test_a_flood_of_sends_that_never_suspend_lets_others_run(scenario):
    handled = []

    async def handler(self, message, ctx):
        handled.append(1)

    await scenario.agent("a", handler)
    scenario.start()
    ticker = Ticker(lambda: len(handled))
    await asyncio.sleep(0)
    rounds = 1_000 if scenario.is_upstream else 4_000
    for _ in range(rounds):
        await scenario.ask("a")
    assert longest_gap([*await ticker.stop(), rounds]) <= rounds / 4


async def test_a_flood_of_nested_sends_lets_others_run(scenario):
    handled = []

    async def leaf(self, message, ctx):
        handled.append(1)

    async def handler(self, message, ctx):
        for _ in range(10):
            await self.send_message(Ask(), scenario.id("leaf"))

    await scenario.agent("leaf", leaf)
    await scenario.agent("a", handler)
    scenario.start()
    ticker = Ticker(lambda: len(handled))
    await asyncio.sleep(0)
    rounds = 100 if scenario.is_upstream else 800
    for _ in range(rounds):
        await scenario.ask("a")
    assert longest_gap([*await ticker.stop(), rounds * 10]) <= rounds * 5


async def test_a_handler_that_sends_forever_can_be_stopped_by_another_task(scenario):
    stop = []

    async def leaf(self, message, ctx):
        pass

    async def handler(self, message, ctx):
        rounds = 0
        while not stop:
            await self.send_message(Ask(), scenario.id("leaf"))
            rounds += 1
        return rounds

    await scenario.agent("leaf", leaf)
    await scenario.agent("a", handler)
    scenario.start()
    asked = asyncio.ensure_future(scenario.ask("a"))
    await yield_to_loop(20)
    stop.append(1)
    assert await asked > 0


async def test_two_handlers_that_send_to_each_other_forever_can_be_stopped(scenario):
    stop, rounds = [], []

    async def pong(self, message, ctx):
        return "pong"

    async def ping(self, message, ctx):
        while not stop:
            assert await self.send_message(Ask(), scenario.id("pong")) == "pong"
            rounds.append(self.id.key)

    await scenario.agent("pong", pong)
    await scenario.agent("ping", ping, keys="xy")
    scenario.start()
    asked = [asyncio.ensure_future(scenario.ask("ping", key=key)) for key in "xy"]
    await until(lambda: set(rounds) == {"x", "y"})
    stop.append(1)
    await asyncio.gather(*asked)


async def test_a_flood_of_publishes_lets_others_run_while_it_is_handled(scenario):
    handled = []

    async def handler(self, message, ctx):
        handled.append(spin())

    await scenario.agent("a", handler, topic="t")
    scenario.start()
    ticker = Ticker(lambda: len(handled))
    for _ in range(2_000):
        await scenario.publish("t")
    await until(lambda: len(handled) == 2_000)
    notes = await ticker.stop()
    assert len({note for note in notes if 0 < note < 2_000}) >= 3


async def test_a_fan_out_to_many_agents_lets_others_run(scenario):
    handled = []

    async def handler(self, message, ctx):
        handled.append(spin())

    for number in range(100):
        await scenario.agent(f"a{number}", handler, topic="t")
    scenario.start()
    ticker = Ticker(lambda: len(handled))
    for _ in range(10):
        await scenario.publish("t")
    await until(lambda: len(handled) == 1_000)
    notes = await ticker.stop()
    assert len({note for note in notes if 0 < note < 1_000}) >= 3


async def test_agents_that_publish_to_each_other_forever_do_not_starve_the_loop(scenario):
    stop, handled = [], []

    async def handler(self, message, ctx):
        handled.append(1)
        if not stop:
            await self.publish_message(Ask(), scenario.core.TopicId("t", "default"))

    await scenario.agent(
        "a", handler, topic="t"
    )  # an agent does not receive what it publishes itself
    await scenario.agent("b", handler, topic="t")
    scenario.start()
    await scenario.ask("a")
    await yield_to_loop(50)
    assert handled
    stop.append(1)
    await yield_to_loop(50)
    settled = len(handled)
    await yield_to_loop(50)
    assert len(handled) == settled


async def test_an_agent_that_sends_to_itself_forever_does_not_starve_the_loop(scenario):
    stop, handled = [], []

    async def handler(self, message, ctx):
        handled.append(1)
        if not stop:
            next_one = asyncio.ensure_future(self.send_message(Ask(), self.id))
            next_one.add_done_callback(lambda done: done.exception())

    await scenario.agent("a", handler)
    scenario.start()
    await scenario.ask("a")
    await yield_to_loop(50)
    assert len(handled) > 1
    stop.append(1)
    await yield_to_loop(50)


async def test_a_timer_fires_during_a_flood(scenario):
    async def handler(self, message, ctx):
        pass

    await scenario.agent("a", handler)
    scenario.start()
    fired = []
    asyncio.get_running_loop().call_later(0, fired.append, 1)
    sent = 0
    while not fired and sent < 1_000:
        await scenario.ask("a")
        sent += 1
    assert fired
