"""`asyncio.TaskGroup` in handlers and around sends."""

import asyncio

import pytest

from .scenario import Ask, since_3_11, until, yield_to_loop

pytestmark = since_3_11


async def fails():
    await asyncio.sleep(0)
    raise ValueError("child")


async def test_a_task_group_in_a_handler_waits_for_its_children(scenario):
    async def handler(self, message, ctx):
        async with asyncio.TaskGroup() as group:
            children = [group.create_task(asyncio.sleep(0, number)) for number in range(5)]
        return [child.result() for child in children], asyncio.current_task().cancelling()

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a") == ([0, 1, 2, 3, 4], 0)


async def test_a_failing_child_cancels_the_body_and_nothing_else(scenario):
    async def handler(self, message, ctx):
        sibling = None
        with pytest.RaisesGroup(ValueError):
            async with asyncio.TaskGroup() as group:
                sibling = group.create_task(asyncio.Event().wait())
                group.create_task(fails())
                await asyncio.Event().wait()
        await yield_to_loop(3)
        return sibling.cancelled(), asyncio.current_task().cancelling()

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a") == (True, 0)
    await yield_to_loop(3)
    assert asyncio.current_task().cancelling() == 0


async def test_a_failing_child_reaches_a_body_that_waits_for_another_agent(scenario):
    gate, ended = asyncio.Event(), []

    async def slow(self, message, ctx):
        await gate.wait()
        ended.append("slow")

    async def handler(self, message, ctx):
        with pytest.RaisesGroup(ValueError):
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
                await self.send_message(Ask(), scenario.id("slow"))
        return asyncio.current_task().cancelling()

    await scenario.agent("slow", slow)
    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a") == 0
    gate.set()
    await until(lambda: ended)


async def test_an_error_in_the_body_cancels_the_children(scenario):
    async def handler(self, message, ctx):
        with pytest.RaisesGroup(KeyError):
            async with asyncio.TaskGroup() as group:
                child = group.create_task(asyncio.Event().wait())
                await asyncio.sleep(0)
                raise KeyError
        return child.cancelled(), asyncio.current_task().cancelling()

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a") == (True, 0)


async def test_an_exception_group_of_a_handler_reaches_its_sender(scenario):
    async def handler(self, message, ctx):
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())

    await scenario.agent("a", handler)
    scenario.start()
    with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="child")):
        await scenario.ask("a")


async def test_sends_can_be_the_children(scenario):
    async def handler(self, message, ctx):
        if message.value % 2:
            await asyncio.sleep(0)
        return message.value

    await scenario.agent("a", handler)
    scenario.start()
    async with asyncio.TaskGroup() as group:
        children = [group.create_task(scenario.ask("a", number)) for number in range(20)]
    assert [child.result() for child in children] == list(range(20))


async def test_sends_of_a_handler_can_be_the_children(scenario):
    async def handler(self, message, ctx):
        if message.value is not None:
            await asyncio.sleep(0)
            return message.value
        async with asyncio.TaskGroup() as group:
            children = [
                group.create_task(self.send_message(Ask(number), scenario.id("a", str(number))))
                for number in range(20)
            ]
        return [child.result() for child in children]

    await scenario.agent("a", handler, keys=["default", *range(20)])
    scenario.start()
    assert await scenario.ask("a") == list(range(20))


async def test_a_failing_send_cancels_its_siblings_and_their_handlers_continue(scenario):
    gate, ended = asyncio.Event(), []

    async def handler(self, message, ctx):
        if message.value == "fail":
            await asyncio.sleep(0)
            raise ValueError
        await gate.wait()
        ended.append(message.value)

    await scenario.agent("a", handler)
    scenario.start()
    with pytest.RaisesGroup(ValueError):
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(scenario.ask("a", "wait"))
            group.create_task(scenario.ask("a", "fail"))
    assert waiting.cancelled()
    assert ended == []
    gate.set()
    await until(lambda: ended == ["wait"])


async def test_a_handler_can_be_cancelled_inside_a_task_group(scenario):
    seen = []

    async def handler(self, message, ctx):
        async with asyncio.TaskGroup() as group:
            seen.append(asyncio.current_task())
            seen.append(group.create_task(asyncio.Event().wait()))
            await asyncio.Event().wait()

    await scenario.agent("a", handler)
    scenario.start()
    asked = asyncio.ensure_future(scenario.ask("a"))
    await until(lambda: len(seen) == 2)
    seen[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert seen[1].cancelled()
