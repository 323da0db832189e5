"""`asyncio.timeout` and `wait_for` in handlers and around sends."""

import asyncio

import pytest

from .scenario import Ask, since_3_11, until, yield_to_loop


async def forever():
    await asyncio.Event().wait()


@since_3_11
async def test_a_timeout_that_expires_ends_only_its_own_block(scenario):
    async def handler(self, message, ctx):
        if message.value:
            await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await forever()
        await yield_to_loop(3)
        return asyncio.current_task().cancelling()

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a", False) == 0
    assert await scenario.ask("a", True) == 0
    await yield_to_loop(3)
    assert asyncio.current_task().cancelling() == 0


@since_3_11
async def test_a_timeout_that_does_not_expire_leaves_no_trace(scenario):
    async def handler(self, message, ctx):
        async with asyncio.timeout(60) as timeout:
            await yield_to_loop(message.value)
        assert not timeout.expired()
        return asyncio.current_task().cancelling()

    await scenario.agent("a", handler)
    scenario.start()
    for suspensions in (0, 1, 5):
        assert await scenario.ask("a", suspensions) == 0


@since_3_11
async def test_a_timeout_in_a_handler_that_never_suspends_does_not_reach_its_caller(scenario):
    async def handler(self, message, ctx):
        async with asyncio.timeout(0):  # noqa: ASYNC100 - nothing waits: that is the point
            return "done"

    await scenario.agent("a", handler)
    scenario.start()
    for _ in range(3):
        assert await scenario.ask("a") == "done"
        await yield_to_loop(3)
    assert asyncio.current_task().cancelling() == 0


@since_3_11
async def test_the_inner_of_two_timeouts_expires(scenario):
    async def handler(self, message, ctx):
        async with asyncio.timeout(60) as outer:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await forever()
            await yield_to_loop(2)
        return outer.expired(), asyncio.current_task().cancelling()

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a") == (False, 0)


@since_3_11
async def test_the_outer_of_two_timeouts_expires(scenario):
    async def handler(self, message, ctx):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                async with asyncio.timeout(60) as inner:
                    await forever()
        return inner.expired(), asyncio.current_task().cancelling()

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a") == (False, 0)


@since_3_11
async def test_a_timeout_around_a_send_ends_the_waiting_and_not_the_other_handler(scenario):
    gate, ended = asyncio.Event(), []

    async def slow(self, message, ctx):
        await gate.wait()
        ended.append("slow")

    async def impatient(self, message, ctx):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await self.send_message(Ask(), scenario.id("slow"))
        await yield_to_loop(2)
        return asyncio.current_task().cancelling()

    await scenario.agent("slow", slow)
    await scenario.agent("impatient", impatient)
    scenario.start()
    assert await scenario.ask("impatient") == 0
    assert ended == []
    gate.set()
    await until(lambda: ended)


@since_3_11
async def test_a_timeout_of_the_caller_does_not_mix_with_one_of_the_handler(scenario):
    gate, seen = asyncio.Event(), []

    async def handler(self, message, ctx):
        async with asyncio.timeout(60) as mine:
            await gate.wait()
        seen.append((mine.expired(), asyncio.current_task().cancelling()))

    await scenario.agent("a", handler)
    scenario.start()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await scenario.ask("a")
    gate.set()
    await until(lambda: seen)
    assert seen == [(False, 0)]


@since_3_11
async def test_a_timeout_can_be_rescheduled_from_outside_while_the_handler_is_suspended(scenario):
    timeouts = []

    async def handler(self, message, ctx):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(None) as timeout:
                timeouts.append(timeout)
                if message.value == "agent":
                    await self.send_message(Ask("here"), scenario.id("b"))
                else:
                    await forever()
        return "in time"

    async def never(self, message, ctx):
        await gate.wait()

    gate = asyncio.Event()
    await scenario.agent("a", handler)
    await scenario.agent("b", never)
    scenario.start()
    for where in ("here", "agent"):
        timeouts.clear()
        asked = asyncio.ensure_future(scenario.ask("a", where))
        await until(lambda: timeouts)
        await yield_to_loop()
        timeouts[0].reschedule(asyncio.get_running_loop().time())
        assert await asked == "in time"
    gate.set()


async def test_wait_for_cancels_a_send_and_the_handler_continues(scenario):
    gate, ended = asyncio.Event(), []

    async def slow(self, message, ctx):
        await gate.wait()
        ended.append(message.value)

    await scenario.agent("slow", slow)
    scenario.start()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(scenario.ask("slow", "first"), 0.001)
    gate.set()
    await until(lambda: ended == ["first"])
    await asyncio.wait_for(scenario.ask("slow", "second"), 60)
    assert ended == ["first", "second"]


async def test_wait_for_inside_a_handler(scenario):
    async def handler(self, message, ctx):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(forever(), 0.001)
        assert await asyncio.wait_for(asyncio.sleep(0, "slept"), 60) == "slept"
        return await asyncio.wait_for(self.send_message(Ask(), scenario.id("b")), 60)

    async def other(self, message, ctx):
        await asyncio.sleep(0)
        return "response"

    await scenario.agent("a", handler)
    await scenario.agent("b", other)
    scenario.start()
    assert await scenario.ask("a") == "response"
