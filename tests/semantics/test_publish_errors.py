"""Errors of handlers of published messages, raised after a suspension."""

import asyncio

import pytest

from .world import Ask, turns, until


class Mine(Exception):
    pass


async def build(world, *, ignore):
    world.rebuild(ignore_unhandled_exceptions=ignore)
    gate, seen = asyncio.Event(), []

    async def fails(self, message, ctx):
        await turns(2)
        seen.append("failed")
        raise Mine("after a suspension")

    async def waits(self, message, ctx):
        seen.append("started")
        await gate.wait()
        seen.append("ended")

    await world.agent("fails", fails, topic="t")
    await world.agent("waits", waits, topic="t")
    world.start()
    return gate, seen


async def test_an_ignored_error_touches_no_sibling(world):
    gate, seen = await build(world, ignore=True)
    await world.publish("t")
    await until(lambda: "failed" in seen)
    gate.set()
    await until(lambda: "ended" in seen)
    await world.idle()


async def test_an_ignored_error_is_logged_with_its_traceback(world, caplog):
    gate, seen = await build(world, ignore=True)
    gate.set()
    await world.publish("t")
    await until(lambda: "failed" in seen)
    await turns()
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.name == "autogen_core"
    assert isinstance(record.exc_info[1], Mine)


async def test_idle_waits_for_the_sibling_of_a_failed_handler(world):
    gate, seen = await build(world, ignore=True)
    await world.publish("t")
    await until(lambda: "failed" in seen)
    stopping = asyncio.ensure_future(world.runtime.stop_when_idle())
    world.is_started = False
    await turns()
    if world.is_upstream:  # A5: idle is reported while the sibling still runs
        assert stopping.done()
        gate.set()
    else:
        assert not stopping.done()
        gate.set()
        await asyncio.wait_for(stopping, 5)
    await until(lambda: "ended" in seen)


async def test_an_error_that_is_not_ignored_is_raised_where_the_runtime_is_stopped(world):
    gate, seen = await build(world, ignore=False)
    gate.set()
    await world.publish("t")
    await until(lambda: "failed" in seen)
    await turns()
    world.is_started = False
    with pytest.raises(Mine, match="after a suspension"):
        await asyncio.wait_for(world.runtime.stop_when_idle(), 5)


async def test_an_error_that_is_not_ignored_is_raised_by_process_next(world):
    world.rebuild(ignore_unhandled_exceptions=False)

    async def fails(self, message, ctx):
        await turns(2)
        raise Mine

    await world.agent("fails", fails, topic="t")
    await world.publish("t")
    await world.runtime.process_next()
    await turns()
    with pytest.raises(Mine):
        await asyncio.wait_for(world.runtime.process_next(), 5)


async def test_an_error_of_a_sent_message_never_halts_the_runtime(world):
    world.rebuild(ignore_unhandled_exceptions=False)

    async def handler(self, message, ctx):
        await asyncio.sleep(0)
        if message.value == "fail":
            raise Mine
        return "fine"

    await world.agent("a", handler)
    world.start()
    for _ in range(3):
        with pytest.raises(Mine):
            await world.ask("a", "fail")
    assert await world.ask("a") == "fine"
    await world.idle()


async def test_a_handler_that_catches_the_error_of_its_send_is_fine(world):
    world.rebuild(ignore_unhandled_exceptions=False)
    seen = []

    async def fails(self, message, ctx):
        await asyncio.sleep(0)
        raise Mine

    async def catches(self, message, ctx):
        with pytest.raises(Mine):
            await self.send_message(Ask(), world.id("fails"))
        seen.append("caught")

    await world.agent("fails", fails)
    await world.agent("catches", catches, topic="t")
    world.start()
    await world.publish("t")
    await until(lambda: seen)
    await world.idle()


async def test_a_cancelled_handler_of_a_published_message_halts_nothing(world):
    tasks = []

    async def handler(self, message, ctx):
        tasks.append(asyncio.current_task())
        await asyncio.Event().wait()

    await world.agent("a", handler, topic="t")
    world.start()
    await world.publish("t")
    await until(lambda: tasks)
    tasks[0].cancel()
    await turns()
    await world.idle()
