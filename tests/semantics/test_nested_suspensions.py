"""Suspended handlers that await other suspended handlers."""

import asyncio
import contextvars
import gc
import weakref

import pytest

from .scenario import Ask, since_3_11, until, yield_to_loop

MINE = contextvars.ContextVar("mine", default=None)


async def chain(scenario, last, depth=3, seen=None):
    """Agents c3, c2, c1 that ask the next one, down to c0, whose handler is given."""

    async def passes_on(self, message, ctx):
        number = int(self.id.key)
        if number == 0:
            return await last(self, message, ctx)
        MINE.set(number)
        before = asyncio.current_task()
        response = await self.send_message(message, scenario.id("c", str(number - 1)))
        assert asyncio.current_task() is before
        assert MINE.get() == number
        if seen is not None:
            seen.append(number)
        return response

    await scenario.agent("c", passes_on, keys=range(depth + 1))
    scenario.start()


async def test_each_handler_resumes_in_its_own_task_and_context(scenario):
    async def last(self, message, ctx):
        await asyncio.sleep(0)
        return message.value

    seen = []
    await chain(scenario, last, seen=seen)
    assert await scenario.ask("c", "x", key="3") == "x"
    assert seen == [1, 2, 3]


async def test_one_after_the_other_may_wait_again(scenario):
    async def last(self, message, ctx):
        await asyncio.sleep(0)
        return message.value

    async def asks_twice(self, message, ctx):
        first = await self.send_message(Ask(1), scenario.id("c", "2"))
        await asyncio.sleep(0)
        second = await self.send_message(Ask(2), scenario.id("c", "2"))
        third = await self.send_message(Ask(3), scenario.id("c", "0"))
        return [first, second, third]

    await scenario.agent("twice", asks_twice)
    await chain(scenario, last)
    assert await scenario.ask("twice") == [1, 2, 3]


async def test_an_error_passes_through_all_of_them(scenario):
    async def last(self, message, ctx):
        await asyncio.sleep(0)
        raise ValueError("from the last")

    await chain(scenario, last, depth=20)
    with pytest.raises(ValueError, match="from the last") as raised:
        await scenario.ask("c", key="20")
    frames = [entry.name for entry in raised.traceback]
    assert frames.count("passes_on") == 21


async def test_one_in_the_middle_that_is_cancelled_frees_those_above_it(scenario):
    gate, tasks = asyncio.Event(), {}

    async def last(self, message, ctx):
        await gate.wait()
        tasks["ended"] = True

    async def passes_on(self, message, ctx):
        tasks[self.id.key] = asyncio.current_task()
        return await self.send_message(message, scenario.id("c", "0"))

    await scenario.agent("middle", passes_on)
    await chain(scenario, last)
    asked = asyncio.ensure_future(scenario.ask("middle"))
    await until(lambda: "default" in tasks)
    await yield_to_loop(3)
    assert tasks["default"].cancel("enough")
    with pytest.raises(asyncio.CancelledError):
        await asked
    gate.set()
    await until(lambda: "ended" in tasks)


@since_3_11
async def test_a_timeout_around_a_send_ends_the_waiting_alone(scenario):
    gate, ended = asyncio.Event(), []

    async def last(self, message, ctx):
        await gate.wait()
        ended.append(message.value)

    async def is_impatient(self, message, ctx):
        try:
            async with asyncio.timeout(0.01):
                await self.send_message(message, scenario.id("c", "2"))
        except TimeoutError:
            return "too late"

    await scenario.agent("impatient", is_impatient)
    await chain(scenario, last)
    assert await scenario.ask("impatient", "x") == "too late"
    gate.set()
    await until(lambda: ended)


async def test_a_task_that_is_inspected_while_it_is_suspended_continues_as_a_task(scenario):
    gate, tasks = asyncio.Event(), []

    async def last(self, message, ctx):
        await gate.wait()
        return "response"

    async def passes_on(self, message, ctx):
        tasks.append(asyncio.current_task())
        response = await self.send_message(message, scenario.id("c", "1"))
        return response, asyncio.current_task() is tasks[0]

    await scenario.agent("middle", passes_on)
    await chain(scenario, last)
    asked = asyncio.ensure_future(scenario.ask("middle"))
    await until(lambda: tasks)
    await yield_to_loop(2)
    assert tasks[0].get_name()
    assert tasks[0] in asyncio.all_tasks()
    gate.set()
    assert await asked == ("response", True)


async def test_a_long_chain_does_not_starve_the_loop(scenario):
    gate, iteration = asyncio.Event(), 0

    async def last(self, message, ctx):
        await gate.wait()

    async def counts():
        nonlocal iteration
        while True:
            iteration += 1
            await asyncio.sleep(0)

    many = 10 if scenario.is_upstream else 40  # it takes its time
    await chain(scenario, last, depth=150)
    asked = [asyncio.ensure_future(scenario.ask("c", key="150")) for _ in range(many)]
    await yield_to_loop(5)
    counting = asyncio.ensure_future(counts())
    await yield_to_loop(5)
    before = iteration
    gate.set()
    await asyncio.gather(*asked)
    counting.cancel()
    assert iteration - before > 2


async def test_nothing_of_a_chain_is_kept(scenario):
    class Thing:
        pass

    async def last(self, message, ctx):
        await asyncio.sleep(0)
        return Thing()

    await chain(scenario, last, depth=10)
    response = weakref.ref(await scenario.ask("c", key="10"))
    await yield_to_loop(3)
    gc.collect()
    assert response() is None


async def test_closing_the_runtime_cancels_the_waiters(scenario):
    if scenario.is_upstream:
        pytest.skip("upstream closes without regard to running handlers")
    cancelled = []

    async def last(self, message, ctx):
        await asyncio.Event().wait()

    async def passes_on(self, message, ctx):
        try:
            await self.send_message(message, scenario.id("c", "1"))
        except asyncio.CancelledError:
            cancelled.append(self.id.type)
            raise

    await scenario.agent("middle", passes_on)
    await chain(scenario, last)
    asked = asyncio.ensure_future(scenario.ask("middle"))
    await yield_to_loop(5)
    scenario.is_started = False
    await scenario.runtime.close()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert cancelled == ["middle"]


async def test_a_handler_of_a_published_message_may_wait_for_an_agent(scenario):
    responses = []

    async def last(self, message, ctx):
        await asyncio.sleep(0)
        return message.value * 2

    async def receives(self, message, ctx):
        responses.append(await self.send_message(message, scenario.id("c", "2")))

    await scenario.agent("receives", receives, topic="t")
    await chain(scenario, last)
    for number in range(3):
        await scenario.publish("t", number)
    await until(lambda: len(responses) == 3)
    assert responses == [0, 2, 4]
