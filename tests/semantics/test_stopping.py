"""Stopping with suspended handlers and queued messages."""

import asyncio
import gc
import warnings

import pytest

from .world import Ask, World, turns, until


async def waiting_agents(world):
    gate, ended = asyncio.Event(), []

    async def waits(self, message, ctx):
        await gate.wait()
        ended.append(message.value)
        return message.value

    async def passes_on(self, message, ctx):
        return await self.send_message(message, world.id("waits"))

    await world.agent("waits", waits, topic="t")
    await world.agent("passes_on", passes_on)
    world.start()
    return gate, ended


async def test_stop_does_not_wait_for_suspended_handlers_and_they_continue(world):
    gate, ended = await waiting_agents(world)
    asked = asyncio.ensure_future(world.ask("waits", "running"))
    await world.publish("t", "published")
    await turns()
    await world.stop()
    assert ended == []
    gate.set()
    await until(lambda: len(ended) == 2)
    await turns()
    if world.is_upstream:  # A21: the response is never delivered
        assert not asked.done()
        asked.cancel()
    else:
        assert await asked == "running"


async def test_the_sender_of_a_suspended_handler_gets_its_response_after_a_stop(world):
    gate, ended = await waiting_agents(world)
    asked = asyncio.ensure_future(world.ask("passes_on", "nested"))
    await turns()
    await world.stop()
    gate.set()
    await until(lambda: ended)
    await turns()
    if world.is_upstream:  # A21
        assert not asked.done()
        asked.cancel()
    else:
        assert await asked == "nested"


async def test_senders_of_queued_messages_get_an_error_at_the_stop(world):
    gate, _ = await waiting_agents(world)
    first = asyncio.ensure_future(world.ask("waits", "running"))
    await turns()
    left = [asyncio.ensure_future(world.ask("waits", number)) for number in range(3)]
    await world.publish("t", "left")
    await asyncio.sleep(0)  # accepted; upstream has taken at most one of them
    await world.stop()
    gate.set()
    await turns(50)
    if world.is_upstream:  # A21: senders wait forever
        assert not all(sender.done() for sender in left)
        for sender in [first, *left]:
            sender.cancel()
        return
    assert await first == "running"
    for number, sender in enumerate(left):
        await asyncio.wait({sender}, timeout=5)
        assert sender.done()
        if sender.exception() is None:
            assert sender.result() == number
        else:
            assert isinstance(sender.exception(), world.exceptions.RuntimeStoppedError)


async def test_a_published_message_queued_at_the_stop_is_never_handled(world):
    gate, ended = await waiting_agents(world)
    gate.set()
    await world.publish("t", "left")
    await world.stop()
    await turns()
    assert ended == []
    if not world.is_upstream:
        assert [letter.message.value for letter in world.runtime.dead_letters] == ["left"]


async def test_a_stopped_runtime_starts_again_and_new_messages_are_handled(world):
    gate, _ = await waiting_agents(world)
    old = asyncio.ensure_future(world.ask("waits", "old"))
    await turns()
    await world.stop()
    gate.set()
    await turns()
    world.start()
    assert await world.ask("waits", "new") == "new"
    if world.is_upstream:
        # The old response is still queued, and is delivered now.
        await turns()
    assert await asyncio.wait_for(old, 5) == "old"


async def test_stop_when_idle_waits_for_suspended_handlers(world):
    gate, ended = await waiting_agents(world)
    await world.publish("t", "published")
    asked = asyncio.ensure_future(world.ask("passes_on", "nested"))
    stopping = asyncio.ensure_future(world.runtime.stop_when_idle())
    await turns(50)
    assert not stopping.done()
    gate.set()
    await asyncio.wait_for(stopping, 5)
    world.is_started = False
    assert sorted(ended) == ["nested", "published"]
    assert await asked == "nested"


async def test_stop_from_inside_a_suspended_handler(world):
    async def handler(self, message, ctx):
        await asyncio.sleep(0)
        await world.runtime.stop()
        await asyncio.sleep(0)
        return "stopped"

    await world.agent("a", handler)
    world.start()
    asked = asyncio.ensure_future(world.ask("a"))
    await turns(50)
    world.is_started = False
    if world.is_upstream:  # A21
        assert not asked.done()
        asked.cancel()
    else:
        assert await asked == "stopped"


async def test_close_ends_suspended_handlers_or_leaves_them(world):
    """Upstream leaves handlers running that `close` has taken the agents from; we cancel them."""
    gate, ended = await waiting_agents(world)
    asked = asyncio.ensure_future(world.ask("waits", "running"))
    await turns()
    world.is_started = False
    await asyncio.wait_for(world.runtime.close(), 5)
    await turns()
    if world.is_upstream:
        assert not asked.done()
        gate.set()
        await turns()
        asked.cancel()
    else:
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert ended == []


@pytest.mark.parametrize("waits_for", ["event", "agent"])
def test_the_end_of_the_loop_ends_suspended_handlers_in_order(core, mode, waits_for):
    """`asyncio.run` cancels what is left: each handler's finally runs, and nothing is reported."""
    ended, strays = [], []

    async def main():
        world = World(core, mode)
        asyncio.get_running_loop().set_exception_handler(lambda _, context: strays.append(context))

        async def waits(self, message, ctx):
            try:
                if message.value == "agent":
                    await self.send_message(Ask("event"), world.id("a", "inner"))
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                ended.append(self.id.key)

        await world.agent("a", waits, topic="t")
        world.start()
        asked = asyncio.ensure_future(world.ask("a", waits_for))
        await world.publish("t", waits_for)
        await turns(40)
        assert not asked.done()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main())
        gc.collect()
    assert sorted(ended) == ["default"] * 2 + ["inner"] * 2 * (waits_for == "agent")
    if mode != "upstream":
        assert strays == []


def test_a_runtime_outlives_its_loop_and_works_on_the_next_one(core, mode):
    world = World(core, mode)

    async def handler(self, message, ctx):
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    async def once():
        world.start()
        assert await world.ask("a") is asyncio.get_running_loop()
        await world.idle()

    asyncio.run(world.agent("a", handler))
    asyncio.run(once())
    asyncio.run(once())
