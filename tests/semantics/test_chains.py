"""Chains of sends between agents, and agents that send to themselves."""

import asyncio
import sys

import pytest

from .scenario import Ask, Switch, until, words, yield_to_loop

# Around where inlining stops, and deeper than any Python stack.
DEPTHS = [1, 15, 17, 31, 33, 199, 201, 2_500]


async def chain(scenario, depth, at_the_end):
    """Register links, each of which asks the next; the last one does what the test says."""

    async def link(self, message, ctx):
        if message.value == 0:
            return await at_the_end()
        response = await self.send_message(
            Ask(message.value - 1), scenario.id("link", str(message.value - 1))
        )
        return response + 1

    await scenario.agent("link", link, keys=range(depth))
    scenario.start()


@pytest.mark.parametrize("depth", DEPTHS)
async def test_a_deep_chain_that_never_suspends(scenario, depth):
    async def zero():
        return 0

    if scenario.is_upstream:
        depth = min(depth, 1_000)  # it can do more, and takes its time
    await chain(scenario, depth, zero)
    assert await scenario.ask("link", depth) == depth


@pytest.mark.parametrize("depth", DEPTHS)
async def test_a_deep_chain_that_suspends_at_its_end(scenario, depth):
    async def zero():
        await asyncio.sleep(0)
        return 0

    if scenario.is_upstream:
        depth = min(depth, 1_000)  # it can do more, and takes its time
    await chain(scenario, depth, zero)
    assert await scenario.ask("link", depth) == depth


async def test_a_deep_chain_through_ordinary_coroutines(scenario):
    async def through(send, levels):
        return await through(send, levels - 1) if levels else await send

    async def link(self, message, ctx):
        if message.value == 0:
            return 0
        send = self.send_message(Ask(message.value - 1), scenario.id("link", str(message.value)))
        return 1 + await through(send, 30)

    await scenario.agent("link", link, keys=["default", *range(301)])
    scenario.start()
    assert await scenario.ask("link", 300) == 300


async def test_the_last_of_a_deep_chain_has_half_of_the_recursion_limit(scenario):
    def recurse(levels):
        return recurse(levels - 1) if levels else 0

    async def zero():
        return recurse(sys.getrecursionlimit() // 2 - 30)

    await chain(scenario, 300, zero)
    assert await scenario.ask("link", 300) == 300


async def test_an_error_passes_a_deep_chain(scenario):
    async def fail():
        await asyncio.sleep(0)
        raise ValueError("at the end")

    await chain(scenario, 200, fail)
    with pytest.raises(ValueError, match="at the end"):
        await scenario.ask("link", 200)


async def test_the_end_of_a_deep_chain_is_cancelled_and_all_its_links_end(scenario):
    seen = []

    async def wait():
        seen.append(asyncio.current_task())
        await asyncio.Event().wait()

    await chain(scenario, 1_000, wait)
    asked = asyncio.ensure_future(scenario.ask("link", 1_000))
    await until(lambda: seen)
    seen[0].cancel("end")
    with pytest.raises(asyncio.CancelledError) as caught:
        await asked
    assert words(caught.value) == "end"


async def test_each_link_waits_on_both_sides_of_its_send(scenario):
    async def link(self, message, ctx):
        await Switch()
        below = 0
        if message.value:
            below = await self.send_message(Ask(message.value - 1), scenario.id("link"))
            await Switch()
        return below + 1

    await scenario.agent("link", link)
    scenario.start()
    assert await scenario.ask("link", 50) == 51


async def test_an_agent_sends_to_itself(scenario):
    async def factorial(self, message, ctx):
        if message.value <= 1:
            return 1
        return message.value * await self.send_message(Ask(message.value - 1), self.id)

    await scenario.agent("factorial", factorial)
    scenario.start()
    assert await scenario.ask("factorial", 10) == 3_628_800


async def test_agents_send_to_each_other_in_a_tree(scenario):
    async def fibonacci(self, message, ctx):
        if message.value < 2:
            if message.value:
                await asyncio.sleep(0)
            return message.value
        left, right = await asyncio.gather(
            self.send_message(Ask(message.value - 1), scenario.id("b")),
            self.send_message(Ask(message.value - 2), scenario.id("a")),
        )
        return left + right

    await scenario.agent("a", fibonacci)
    await scenario.agent("b", fibonacci)
    scenario.start()
    assert await scenario.ask("a", 10) == 55


async def test_an_agent_that_sends_to_itself_thousands_of_levels_deep_ends_with_its_own_error(
    scenario,
):
    async def deeper(self, message, ctx):
        if message.value == 0:
            raise KeyError("the bottom")
        await self.send_message(Ask(message.value - 1), self.id)

    await scenario.agent("a", deeper)
    scenario.start()
    with pytest.raises(KeyError, match="the bottom"):
        await scenario.ask("a", 1_000 if scenario.is_upstream else 3_000)


async def test_recursion_inside_a_handler_is_caught_there(scenario):
    def endless():
        return endless()

    async def handler(self, message, ctx):
        if message.value:
            await asyncio.sleep(0)
        try:
            endless()
        except RecursionError:
            return "caught"

    async def outer(self, message, ctx):
        return await self.send_message(message, scenario.id("a"))

    await scenario.agent("a", handler)
    await scenario.agent("outer", outer)
    scenario.start()
    for suspend in (False, True):
        assert await scenario.ask("a", suspend) == "caught"
        assert await scenario.ask("outer", suspend) == "caught"
        with pytest.raises(RecursionError):
            endless()


async def test_a_chain_is_made_while_another_one_is_suspended(scenario):
    gate = asyncio.Event()

    async def at_the_end():
        await gate.wait()
        return 0

    await chain(scenario, 20, at_the_end)
    asked = [asyncio.ensure_future(scenario.ask("link", 20)) for _ in range(10)]
    await yield_to_loop(100)
    gate.set()
    assert await asyncio.gather(*asked) == [20] * 10
