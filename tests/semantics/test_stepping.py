"""Manual processing with `process_next`, with handlers that suspend."""

import asyncio

import pytest

from .scenario import Ask, until, yield_to_loop


async def process(scenario, count):
    for _ in range(count):
        await asyncio.wait_for(scenario.runtime.process_next(), 150)


async def test_each_step_processes_one_message_or_one_response(scenario):
    gate, started = asyncio.Event(), []

    async def handler(self, message, ctx):
        started.append(asyncio.current_task())
        await gate.wait()
        return "response"

    await scenario.agent("a", handler)
    asked = asyncio.ensure_future(scenario.ask("a"))
    await yield_to_loop()
    assert started == []
    await process(scenario, 1)
    await until(lambda: started)
    assert isinstance(started[0], asyncio.Task)
    gate.set()
    await yield_to_loop()
    assert not asked.done()
    assert scenario.runtime.unprocessed_messages_count == 1
    await process(scenario, 1)
    assert await asked == "response"


async def test_nothing_is_handled_before_it_is_taken(scenario):
    started = []

    async def handler(self, message, ctx):
        started.append(message.value)

    await scenario.agent("a", handler, topic="t")
    asked = asyncio.ensure_future(scenario.ask("a", "sent"))
    await yield_to_loop()
    await scenario.publish("t", "published")
    await yield_to_loop(50)
    assert started == []
    assert scenario.runtime.unprocessed_messages_count == 2
    await process(scenario, 1)
    await yield_to_loop()
    assert started == ["sent"]
    await process(scenario, 1)
    await yield_to_loop()
    assert started == ["sent", "published"]
    await process(scenario, 1)
    await asked


async def test_a_handler_that_sends_to_another_needs_more_steps(scenario):
    async def leaf(self, message, ctx):
        await asyncio.sleep(0)
        return "leaf"

    async def handler(self, message, ctx):
        task = asyncio.current_task()
        response = await self.send_message(Ask(), scenario.id("leaf"))
        assert asyncio.current_task() is task
        return response

    await scenario.agent("leaf", leaf)
    await scenario.agent("a", handler)
    asked = asyncio.ensure_future(scenario.ask("a"))
    for _ in range(4):  # two messages, two responses
        assert not asked.done()
        await process(scenario, 1)
        await yield_to_loop()
    assert await asked == "leaf"


async def test_process_next_waits_for_a_message(scenario):
    async def handler(self, message, ctx):
        await asyncio.sleep(0)

    await scenario.agent("a", handler)
    processing = asyncio.ensure_future(scenario.runtime.process_next())
    await yield_to_loop()
    assert not processing.done()
    asked = asyncio.ensure_future(scenario.ask("a"))
    await asyncio.wait_for(processing, 150)
    await process(scenario, 1)
    await asked


async def test_a_process_next_that_is_cancelled_loses_no_message(scenario):
    async def handler(self, message, ctx):
        await asyncio.sleep(0)
        return message.value

    await scenario.agent("a", handler)
    processing = asyncio.ensure_future(scenario.runtime.process_next())
    await yield_to_loop()
    processing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await processing
    asked = asyncio.ensure_future(scenario.ask("a", "kept"))
    await yield_to_loop()
    await process(scenario, 2)
    assert await asked == "kept"


async def test_an_error_after_a_suspension_reaches_the_sender_without_a_second_step(scenario):
    async def handler(self, message, ctx):
        await asyncio.sleep(0)
        raise ValueError("direct")

    await scenario.agent("a", handler)
    asked = asyncio.ensure_future(scenario.ask("a"))
    await yield_to_loop()
    await process(scenario, 1)
    with pytest.raises(ValueError, match="direct"):
        await asyncio.wait_for(asked, 150)


async def test_a_runtime_can_be_started_after_some_manual_steps(scenario):
    gate = asyncio.Event()

    async def handler(self, message, ctx):
        await gate.wait()
        return message.value

    await scenario.agent("a", handler)
    asked = [asyncio.ensure_future(scenario.ask("a", number)) for number in range(3)]
    await yield_to_loop()
    await process(scenario, 1)
    scenario.start()
    gate.set()
    assert await asyncio.gather(*asked) == [0, 1, 2]
