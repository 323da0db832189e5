"""Asynchronous generators and context managers inside handlers, and their finalization."""

import asyncio
import gc
from contextlib import aclosing, asynccontextmanager, suppress

import pytest

from .scenario import Ask, Scenario, until, yield_to_loop


async def counting(log, suspend=True):
    try:
        for number in range(3):
            if suspend:
                await asyncio.sleep(0)
            yield number
    finally:
        if suspend:
            await asyncio.sleep(0)
        log.append("finally")


@pytest.mark.parametrize("suspend", [False, True])
async def test_a_generator_that_is_used_up_ends_at_once(scenario, suspend):
    log = []

    async def handler(self, message, ctx):
        numbers = [number async for number in counting(log, suspend)]
        log.append("handler")
        return numbers

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a") == [0, 1, 2]
    assert log == ["finally", "handler"]


@pytest.mark.parametrize("suspend", [False, True])
async def test_a_generator_left_half_way_is_ended_by_the_loop(scenario, suspend):
    log = []

    async def handler(self, message, ctx):
        async for number in counting(log, suspend):
            return number
        return None

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a") == 0
    gc.collect()
    await until(lambda: log)
    assert log == ["finally"]


async def test_a_generator_is_closed_where_the_handler_says_so(scenario):
    log = []

    async def handler(self, message, ctx):
        async with aclosing(counting(log)) as numbers:
            async for number in numbers:
                if number == 1:
                    break
        log.append("handler")

    await scenario.agent("a", handler)
    scenario.start()
    await scenario.ask("a")
    assert log == ["finally", "handler"]


async def test_a_generator_that_sends_between_its_values(scenario):
    async def leaf(self, message, ctx):
        if message.value % 2:
            await asyncio.sleep(0)
        return message.value * 10

    async def handler(self, message, ctx):
        task = asyncio.current_task()

        async def responds():
            for number in range(6):
                yield await self.send_message(Ask(number), scenario.id("leaf"))
                assert asyncio.current_task() is task

        return [response async for response in responds()]

    await scenario.agent("leaf", leaf)
    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a") == [0, 10, 20, 30, 40, 50]


async def test_one_generator_used_by_two_deliveries_alternately(scenario):
    log = []
    shared = counting(log)

    async def handler(self, message, ctx):
        with suppress(StopAsyncIteration):
            return await anext(shared)

    await scenario.agent("a", handler)
    scenario.start()
    assert [await scenario.ask("a") for _ in range(4)] == [0, 1, 2, None]
    assert log == ["finally"]


async def test_a_cancelled_handler_ends_its_generator_and_context_manager(scenario):
    log, tasks = [], []

    @asynccontextmanager
    async def managed():
        try:
            yield
        finally:
            await asyncio.sleep(0)
            log.append("managed")

    async def endless():
        try:
            await asyncio.Event().wait()
            yield
        finally:
            log.append("generator")

    async def handler(self, message, ctx):
        tasks.append(asyncio.current_task())
        async with managed():
            async for _ in endless():
                pass

    await scenario.agent("a", handler)
    scenario.start()
    asked = asyncio.ensure_future(scenario.ask("a"))
    await until(lambda: tasks)
    tasks[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert log == ["generator", "managed"]


@pytest.mark.parametrize("suspend", [False, True])
def test_a_generator_still_open_at_the_end_of_the_loop_is_closed(core, mode, suspend):
    log, kept = [], []

    async def main():
        scenario = Scenario(core, mode)

        async def handler(self, message, ctx):
            kept.append(counting(log, suspend))
            return await anext(kept[0])

        await scenario.agent("a", handler)
        scenario.start()
        assert await scenario.ask("a") == 0
        await yield_to_loop()
        assert log == []
        await scenario.idle()

    asyncio.run(main())
    assert log == ["finally"]
