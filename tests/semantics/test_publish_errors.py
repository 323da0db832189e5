"""Errors of handlers of published messages, raised after a suspension."""

import asyncio
import traceback

import pytest

from .scenario import Ask, until, yield_to_loop


class Mine(Exception):
    pass


async def build(scenario, *, ignore):
    scenario.rebuild(ignore_unhandled_exceptions=ignore)
    gate, seen = asyncio.Event(), []

    async def fails(self, message, ctx):
        await yield_to_loop(2)
        seen.append("failed")
        raise Mine("after a suspension")

    async def waits(self, message, ctx):
        seen.append("started")
        await gate.wait()
        seen.append("ended")

    await scenario.agent("fails", fails, topic="t")
    await scenario.agent("waits", waits, topic="t")
    scenario.start()
    return gate, seen


async def test_an_ignored_error_touches_no_sibling(scenario):
    gate, seen = await build(scenario, ignore=True)
    await scenario.publish("t")
    await until(lambda: "failed" in seen)
    gate.set()
    await until(lambda: "ended" in seen)
    await scenario.idle()


async def test_an_ignored_error_is_logged_with_its_traceback(scenario, caplog):
    gate, seen = await build(scenario, ignore=True)
    gate.set()
    await scenario.publish("t")
    await until(lambda: "failed" in seen)
    await yield_to_loop()
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.name == "autogen_core"
    assert isinstance(record.exc_info[1], Mine)
    frames = traceback.extract_tb(record.exc_info[2])
    assert frames[-1].name == "fails"


async def test_idle_waits_for_the_sibling_of_a_failed_handler(scenario):
    gate, seen = await build(scenario, ignore=True)
    await scenario.publish("t")
    await until(lambda: "failed" in seen)
    stopping = asyncio.ensure_future(scenario.runtime.stop_when_idle())
    scenario.is_started = False
    await yield_to_loop()
    if scenario.is_upstream:  # A5: idle is reported while the sibling still runs
        assert stopping.done()
        gate.set()
    else:
        assert not stopping.done()
        gate.set()
        await asyncio.wait_for(stopping, 150)
    await until(lambda: "ended" in seen)


async def test_an_error_that_is_not_ignored_is_raised_where_the_runtime_is_stopped(scenario):
    gate, seen = await build(scenario, ignore=False)
    gate.set()
    await scenario.publish("t")
    await until(lambda: "failed" in seen)
    await yield_to_loop()
    scenario.is_started = False
    with pytest.raises(Mine, match="after a suspension"):
        await asyncio.wait_for(scenario.runtime.stop_when_idle(), 150)


async def test_an_error_that_is_not_ignored_is_raised_by_process_next(scenario):
    scenario.rebuild(ignore_unhandled_exceptions=False)

    async def fails(self, message, ctx):
        await yield_to_loop(2)
        raise Mine

    await scenario.agent("fails", fails, topic="t")
    await scenario.publish("t")
    await scenario.runtime.process_next()
    await yield_to_loop()
    with pytest.raises(Mine):
        await asyncio.wait_for(scenario.runtime.process_next(), 150)


async def test_an_error_of_a_sent_message_never_halts_the_runtime(scenario):
    scenario.rebuild(ignore_unhandled_exceptions=False)

    async def handler(self, message, ctx):
        await asyncio.sleep(0)
        if message.value == "fail":
            raise Mine
        return "fine"

    await scenario.agent("a", handler)
    scenario.start()
    for _ in range(3):
        with pytest.raises(Mine):
            await scenario.ask("a", "fail")
    assert await scenario.ask("a") == "fine"
    await scenario.idle()


async def test_a_handler_that_catches_the_error_of_its_send_is_fine(scenario):
    scenario.rebuild(ignore_unhandled_exceptions=False)
    seen = []

    async def fails(self, message, ctx):
        await asyncio.sleep(0)
        raise Mine

    async def catches(self, message, ctx):
        with pytest.raises(Mine):
            await self.send_message(Ask(), scenario.id("fails"))
        seen.append("caught")

    await scenario.agent("fails", fails)
    await scenario.agent("catches", catches, topic="t")
    scenario.start()
    await scenario.publish("t")
    await until(lambda: seen)
    await scenario.idle()


async def test_a_cancelled_handler_of_a_published_message_halts_nothing(scenario):
    tasks = []

    async def handler(self, message, ctx):
        tasks.append(asyncio.current_task())
        await asyncio.Event().wait()

    await scenario.agent("a", handler, topic="t")
    scenario.start()
    await scenario.publish("t")
    await until(lambda: tasks)
    tasks[0].cancel()
    await yield_to_loop()
    await scenario.idle()
