"""Chains of sends between agents, and agents that send to themselves."""

import asyncio
import sys

import pytest

from .world import Ask, Switch, turns, until, words

# Around where inlining stops, and deeper than any Python stack.
DEPTHS = [1, 15, 17, 31, 33, 199, 201, 5_000]


async def chain(world, depth, at_the_end):
    """Register links, each of which asks the next; the last one does what the test says."""

    async def link(self, message, ctx):
        if message.value == 0:
            return await at_the_end()
        response = await self.send_message(
            Ask(message.value - 1), world.id("link", str(message.value - 1))
        )
        return response + 1

    await world.agent("link", link, keys=range(depth))
    world.start()


@pytest.mark.parametrize("depth", DEPTHS)
async def test_a_deep_chain_that_never_suspends(world, depth):
    async def zero():
        return 0

    if world.is_upstream:
        depth = min(depth, 1_000)  # it can do more, and takes its time
    await chain(world, depth, zero)
    assert await world.ask("link", depth) == depth


@pytest.mark.parametrize("depth", DEPTHS)
async def test_a_deep_chain_that_suspends_at_its_end(world, depth):
    async def zero():
        await asyncio.sleep(0)
        return 0

    if world.is_upstream:
        depth = min(depth, 1_000)  # it can do more, and takes its time
    await chain(world, depth, zero)
    assert await world.ask("link", depth) == depth


async def test_a_deep_chain_through_ordinary_coroutines(world):
    async def through(send, levels):
        return await through(send, levels - 1) if levels else await send

    async def link(self, message, ctx):
        if message.value == 0:
            return 0
        send = self.send_message(Ask(message.value - 1), world.id("link", str(message.value)))
        return 1 + await through(send, 30)

    await world.agent("link", link, keys=["default", *range(301)])
    world.start()
    assert await world.ask("link", 300) == 300


async def test_the_last_of_a_deep_chain_has_half_of_the_recursion_limit(world):
    def recurse(levels):
        return recurse(levels - 1) if levels else 0

    async def zero():
        return recurse(sys.getrecursionlimit() // 2 - 30)

    await chain(world, 300, zero)
    assert await world.ask("link", 300) == 300


async def test_an_error_passes_a_deep_chain(world):
    async def fail():
        await asyncio.sleep(0)
        raise ValueError("at the end")

    await chain(world, 200, fail)
    with pytest.raises(ValueError, match="at the end"):
        await world.ask("link", 200)


async def test_the_end_of_a_deep_chain_is_cancelled_and_all_its_links_end(world):
    seen = []

    async def wait():
        seen.append(asyncio.current_task())
        await asyncio.Event().wait()

    await chain(world, 1_000, wait)
    asked = asyncio.ensure_future(world.ask("link", 1_000))
    await until(lambda: seen)
    seen[0].cancel("end")
    with pytest.raises(asyncio.CancelledError) as caught:
        await asked
    assert words(caught.value) == "end"


async def test_each_link_waits_on_both_sides_of_its_send(world):
    async def link(self, message, ctx):
        await Switch()
        below = 0
        if message.value:
            below = await self.send_message(Ask(message.value - 1), world.id("link"))
            await Switch()
        return below + 1

    await world.agent("link", link)
    world.start()
    assert await world.ask("link", 50) == 51


async def test_an_agent_sends_to_itself(world):
    async def factorial(self, message, ctx):
        if message.value <= 1:
            return 1
        return message.value * await self.send_message(Ask(message.value - 1), self.id)

    await world.agent("factorial", factorial)
    world.start()
    assert await world.ask("factorial", 10) == 3_628_800


async def test_agents_send_to_each_other_in_a_tree(world):
    async def fibonacci(self, message, ctx):
        if message.value < 2:
            if message.value:
                await asyncio.sleep(0)
            return message.value
        left, right = await asyncio.gather(
            self.send_message(Ask(message.value - 1), world.id("b")),
            self.send_message(Ask(message.value - 2), world.id("a")),
        )
        return left + right

    await world.agent("a", fibonacci)
    await world.agent("b", fibonacci)
    world.start()
    assert await world.ask("a", 10) == 55


async def test_an_agent_that_sends_to_itself_thousands_of_levels_deep_ends_with_its_own_error(
    world,
):
    async def deeper(self, message, ctx):
        if message.value == 0:
            raise KeyError("the bottom")
        await self.send_message(Ask(message.value - 1), self.id)

    await world.agent("a", deeper)
    world.start()
    with pytest.raises(KeyError, match="the bottom"):
        await world.ask("a", 1_000 if world.is_upstream else 3_000)


async def test_recursion_inside_a_handler_is_caught_there(world):
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
        return await self.send_message(message, world.id("a"))

    await world.agent("a", handler)
    await world.agent("outer", outer)
    world.start()
    for suspend in (False, True):
        assert await world.ask("a", suspend) == "caught"
        assert await world.ask("outer", suspend) == "caught"
        with pytest.raises(RecursionError):
            endless()


async def test_a_chain_is_made_while_another_one_is_suspended(world):
    gate = asyncio.Event()

    async def at_the_end():
        await gate.wait()
        return 0

    await chain(world, 20, at_the_end)
    asked = [asyncio.ensure_future(world.ask("link", 20)) for _ in range(10)]
    await turns(100)
    gate.set()
    assert await asyncio.gather(*asked) == [20] * 10
