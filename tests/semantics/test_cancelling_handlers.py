"""Cancellation of the task of a handler, at every point of its execution."""

import asyncio

import pytest

from .scenario import Ask, since_3_11, until, words, yield_to_loop


async def forever():
    await asyncio.Event().wait()


async def test_a_suspended_handler_is_cancelled_from_outside_with_its_message(scenario):
    seen = []

    async def handler(self, message, ctx):
        seen.append(asyncio.current_task())
        try:
            await forever()
        except asyncio.CancelledError as error:
            seen.append(words(error))
            raise

    await scenario.agent("a", handler)
    scenario.start()
    asked = asyncio.ensure_future(scenario.ask("a"))
    await until(lambda: seen)
    assert seen[0].cancel("why")
    with pytest.raises(asyncio.CancelledError) as caught:
        await asked
    assert seen[1] == "why"
    assert words(caught.value) == "why"
    await until(seen[0].done)
    assert not seen[0].cancel()


@pytest.mark.parametrize("suspension", ["event", "sleep(0)", "agent"])
async def test_a_cancel_right_after_the_first_step_ends_the_wait(scenario, suspension):
    gate = asyncio.Event()

    async def slow(self, message, ctx):
        await gate.wait()

    async def handler(self, message, ctx):
        task = asyncio.current_task()
        asyncio.get_running_loop().call_soon(task.cancel, "soon")
        with pytest.raises(asyncio.CancelledError) as caught:
            match suspension:
                case "event":
                    await forever()
                case "sleep(0)":
                    await asyncio.sleep(0)
                case "agent":
                    await self.send_message(Ask(), scenario.id("slow"))
        return words(caught.value)

    await scenario.agent("slow", slow)
    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a") == "soon"
    gate.set()


@pytest.mark.parametrize("suspension", ["event", "sleep(0)", "agent"])
async def test_a_handler_that_cancels_itself_is_cancelled_at_its_next_wait(scenario, suspension):
    passed, gate = [], asyncio.Event()

    async def slow(self, message, ctx):
        await gate.wait()

    async def handler(self, message, ctx):
        if message.value:
            await yield_to_loop(2)
        asyncio.current_task().cancel("myself")
        passed.append(1)
        with pytest.raises(asyncio.CancelledError) as caught:
            match suspension:
                case "event":
                    await forever()
                case "sleep(0)":
                    await asyncio.sleep(0)
                case "agent":
                    await self.send_message(Ask(), scenario.id("slow"))
        await yield_to_loop(3)
        return words(caught.value)

    await scenario.agent("slow", slow)
    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a", False) == "myself"
    assert await scenario.ask("a", True) == "myself"
    assert passed == [1, 1]
    gate.set()


async def test_a_handler_that_cancels_itself_and_returns_at_once_still_responds(scenario):
    async def handler(self, message, ctx):
        asyncio.current_task().cancel()
        return "response"

    await scenario.agent("a", handler)
    scenario.start()
    assert await asyncio.wait_for(scenario.ask("a"), 60) == "response"
    await yield_to_loop(3)
    assert await asyncio.wait_for(scenario.ask("a"), 60) == "response"


async def test_a_late_cancel_of_a_handler_that_waits_for_an_agent_leaves_that_agent_alone(scenario):
    gate, ended, tasks = asyncio.Event(), [], []

    async def slow(self, message, ctx):
        await gate.wait()
        ended.append("slow")

    async def handler(self, message, ctx):
        tasks.append(asyncio.current_task())
        await self.send_message(Ask(), scenario.id("slow"))

    await scenario.agent("slow", slow)
    await scenario.agent("a", handler)
    scenario.start()
    asked = asyncio.ensure_future(scenario.ask("a"))
    await until(lambda: tasks)
    await yield_to_loop()
    tasks[0].cancel("late")
    with pytest.raises(asyncio.CancelledError) as caught:
        await asked
    assert words(caught.value) == "late"
    assert ended == []
    gate.set()
    await until(lambda: ended)


async def test_the_message_of_a_cancellation_survives_every_hop(scenario):
    seen = []

    async def hop(self, message, ctx):
        if message.value == 0:
            seen.append(asyncio.current_task())
            await forever()
        try:
            await self.send_message(Ask(message.value - 1), scenario.id("hop", str(message.value)))
        except asyncio.CancelledError as error:
            seen.append(words(error))
            raise

    await scenario.agent("hop", hop, keys=["default", *range(20)])
    scenario.start()
    asked = asyncio.ensure_future(scenario.ask("hop", 5))
    await until(lambda: seen)
    seen[0].cancel("from the leaf")
    with pytest.raises(asyncio.CancelledError) as caught:
        await asked
    assert words(caught.value) == "from the leaf"
    assert seen[1:] == ["from the leaf"] * 5


async def test_a_handler_can_catch_its_cancellation_and_respond(scenario):
    seen = []

    async def handler(self, message, ctx):
        seen.append(asyncio.current_task())
        try:
            await forever()
        except asyncio.CancelledError:
            await yield_to_loop(3)
            return "recovered"

    await scenario.agent("a", handler)
    scenario.start()
    asked = asyncio.ensure_future(scenario.ask("a"))
    await until(lambda: seen)
    seen[0].cancel()
    assert await asked == "recovered"


@since_3_11
async def test_cancellations_of_a_handler_are_counted(scenario):
    seen = []

    async def handler(self, message, ctx):
        task = asyncio.current_task()
        seen.append(task)
        assert task.cancelling() == 0
        with pytest.raises(asyncio.CancelledError):
            await forever()
        assert task.cancelling() == 2
        assert task.uncancel() == 1
        assert task.uncancel() == 0
        await yield_to_loop(2)

    await scenario.agent("a", handler)
    scenario.start()
    asked = asyncio.ensure_future(scenario.ask("a"))
    await until(lambda: seen)
    seen[0].cancel()
    seen[0].cancel()
    await asked


async def test_a_raised_cancelled_error_reaches_the_sender_and_cancels_no_task(scenario):
    async def handler(self, message, ctx):
        if message.value:
            await asyncio.sleep(0)
        raise asyncio.CancelledError("raised")

    await scenario.agent("a", handler)
    scenario.start()
    for suspend in (False, True):
        with pytest.raises(asyncio.CancelledError) as caught:
            await scenario.ask("a", suspend)
        assert words(caught.value) == "raised"
        await yield_to_loop(3)
    if hasattr(asyncio.Task, "cancelling"):
        assert asyncio.current_task().cancelling() == 0


async def test_a_cancelled_handler_of_a_published_message_runs_its_finally(scenario):
    seen = []

    async def handler(self, message, ctx):
        seen.append(asyncio.current_task())
        try:
            await forever()
        finally:
            await asyncio.sleep(0)
            seen.append("ended")

    await scenario.agent("a", handler, topic="t")
    scenario.start()
    await scenario.publish("t")
    await until(lambda: seen)
    seen[0].cancel()
    await until(lambda: seen[-1] == "ended")


async def test_a_handler_that_awaits_a_cancelled_future_gets_that_cancellation(scenario):
    async def handler(self, message, ctx):
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.cancel, "future")
        with pytest.raises(asyncio.CancelledError) as caught:
            await future
        return words(caught.value)

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a") == "future"
