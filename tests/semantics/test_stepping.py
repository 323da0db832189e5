"""Manual processing with `process_next`, with handlers that suspend."""

import asyncio

import pytest

from .world import Ask, turns, until


async def process(world, count):
    for _ in range(count):
        await asyncio.wait_for(world.runtime.process_next(), 5)


async def test_each_step_processes_one_message_or_one_response(world):
    gate, started = asyncio.Event(), []

    async def handler(self, message, ctx):
        started.append(asyncio.current_task())
        await gate.wait()
        return "answer"

    await world.agent("a", handler)
    asked = asyncio.ensure_future(world.ask("a"))
    await turns()
    assert started == []
    await process(world, 1)
    await until(lambda: started)
    assert isinstance(started[0], asyncio.Task)
    gate.set()
    await turns()
    assert not asked.done()
    assert world.runtime.unprocessed_messages_count == 1
    await process(world, 1)
    assert await asked == "answer"


async def test_nothing_is_handled_before_it_is_taken(world):
    started = []

    async def handler(self, message, ctx):
        started.append(message.value)

    await world.agent("a", handler, topic="t")
    asked = asyncio.ensure_future(world.ask("a", "sent"))
    await turns()
    await world.publish("t", "published")
    await turns(50)
    assert started == []
    assert world.runtime.unprocessed_messages_count == 2
    await process(world, 1)
    await turns()
    assert started == ["sent"]
    await process(world, 1)
    await turns()
    assert started == ["sent", "published"]
    await process(world, 1)
    await asked


async def test_a_handler_that_sends_to_another_needs_more_steps(world):
    async def leaf(self, message, ctx):
        await asyncio.sleep(0)
        return "leaf"

    async def handler(self, message, ctx):
        task = asyncio.current_task()
        response = await self.send_message(Ask(), world.id("leaf"))
        assert asyncio.current_task() is task
        return response

    await world.agent("leaf", leaf)
    await world.agent("a", handler)
    asked = asyncio.ensure_future(world.ask("a"))
    for _ in range(4):  # two messages, two responses
        assert not asked.done()
        await process(world, 1)
        await turns()
    assert await asked == "leaf"


async def test_process_next_waits_for_a_message(world):
    async def handler(self, message, ctx):
        await asyncio.sleep(0)

    await world.agent("a", handler)
    processing = asyncio.ensure_future(world.runtime.process_next())
    await turns()
    assert not processing.done()
    asked = asyncio.ensure_future(world.ask("a"))
    await asyncio.wait_for(processing, 5)
    await process(world, 1)
    await asked


async def test_a_process_next_that_is_cancelled_loses_no_message(world):
    async def handler(self, message, ctx):
        await asyncio.sleep(0)
        return message.value

    await world.agent("a", handler)
    processing = asyncio.ensure_future(world.runtime.process_next())
    await turns()
    processing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await processing
    asked = asyncio.ensure_future(world.ask("a", "kept"))
    await turns()
    await process(world, 2)
    assert await asked == "kept"


async def test_an_error_after_a_suspension_reaches_the_sender_without_a_second_step(world):
    async def handler(self, message, ctx):
        await asyncio.sleep(0)
        raise ValueError("direct")

    await world.agent("a", handler)
    asked = asyncio.ensure_future(world.ask("a"))
    await turns()
    await process(world, 1)
    with pytest.raises(ValueError, match="direct"):
        await asyncio.wait_for(asked, 5)


async def test_a_runtime_can_be_started_after_some_manual_steps(world):
    gate = asyncio.Event()

    async def handler(self, message, ctx):
        await gate.wait()
        return message.value

    await world.agent("a", handler)
    asked = [asyncio.ensure_future(world.ask("a", number)) for number in range(3)]
    await turns()
    await process(world, 1)
    world.start()
    gate.set()
    assert await asyncio.gather(*asked) == [0, 1, 2]
