"""Event loops other than the default one, and modes of the default one."""

import asyncio
import gc
import logging
import subprocess
import sys

import pytest
import uvloop

from .everyday import everyday
from .scenario import Ask, Scenario, until, yield_to_loop


def run(main, *, debug=False, loop=None):
    """Run in a loop of this kind; return what its exception handler got."""
    loop_errors = []

    async def observed():
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: loop_errors.append(context)
        )
        await main()

    if loop is None:
        asyncio.run(observed(), debug=debug)
    else:
        try:
            loop.set_debug(debug)
            loop.run_until_complete(observed())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()
    gc.collect()
    return loop_errors


def an_everyday(core, mode):
    async def main():
        await everyday(Scenario(core, mode))

    return main


@pytest.mark.parametrize("debug", [False, True])
def test_the_plain_loop(core, mode, debug):
    assert run(an_everyday(core, mode), debug=debug) == []


@pytest.mark.parametrize("debug", [False, True])
def test_uvloop(core, mode, debug):
    assert run(an_everyday(core, mode), debug=debug, loop=uvloop.new_event_loop()) == []


def test_uvloop_keeps_the_order_and_lets_others_run(core, mode):
    started, ticks = [], []

    async def main():
        scenario = Scenario(core, mode)

        async def handler(self, message, ctx):
            started.append(message.value)

        async def tick():
            while len(started) < 500:
                ticks.append(len(started))
                await asyncio.sleep(0)

        await scenario.agent("a", handler, topic="t")
        scenario.start()
        ticking = asyncio.ensure_future(tick())
        for number in range(500):
            await (scenario.publish("t", number) if number % 5 else scenario.ask("a", number))
        await until(lambda: len(started) == 500)
        await ticking
        await scenario.idle()

    assert run(main, loop=uvloop.new_event_loop()) == []
    assert started == list(range(500))
    assert len(ticks) > 1


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_eager_tasks(core, mode):
    loop = asyncio.new_event_loop()
    loop.set_task_factory(getattr(asyncio, "eager_task_factory", None))

    async def main():
        scenario = Scenario(core, mode)
        if not scenario.is_upstream:
            await everyday(scenario)
            return
        # Its background task begins before the runtime is ready for it, and ends at once.
        scenario.start()
        with pytest.raises(AttributeError):
            await scenario.stop()

    assert run(main, loop=loop) == []


def test_a_task_factory_of_the_users(core, mode):
    """The tasks of handlers may be made by it or not; those the user makes are."""
    made = []

    class Mine(asyncio.Task):
        pass

    def factory(loop, work, **options):
        made.append(work)
        return Mine(work, loop=loop, **options)

    async def main():
        async def nothing():
            return asyncio.current_task()

        assert type(await asyncio.create_task(nothing())) is Mine
        await everyday(Scenario(core, mode))

    loop = asyncio.new_event_loop()
    loop.set_task_factory(factory)
    assert run(main, loop=loop) == []
    assert made


def test_slow_callbacks_are_reported_in_debug_mode(core, mode, caplog):
    async def main():
        asyncio.get_running_loop().slow_callback_duration = 0.0
        scenario = Scenario(core, mode)

        async def handler(self, message, ctx):
            if message.value:
                await asyncio.sleep(0)
            sum(range(1_000))
            if message.value == 1:
                await self.send_message(Ask(2), scenario.id("a", "inner"))

        await scenario.agent("a", handler, topic="t")
        scenario.start()
        for value in (0, 1, 2):
            await scenario.ask("a", value)
            await scenario.publish("t", value)
        await yield_to_loop()
        await scenario.idle()

    with caplog.at_level(logging.WARNING, logger="asyncio"):
        assert run(main, debug=True) == []
    messages = [record.getMessage() for record in caplog.records if record.name == "asyncio"]
    assert any(message.startswith("Executing <") for message in messages)


def test_the_debug_mode_of_the_environment(core, mode):
    """In a separate process: the variable is read when asyncio is imported."""
    program = """
import asyncio, sys
from tests.semantics.everyday import everyday
from tests.semantics.scenario import Scenario
import importlib
async def main():
    assert asyncio.get_running_loop().get_debug()
    await everyday(Scenario(importlib.import_module(sys.argv[1]), sys.argv[2]))
asyncio.run(main())
"""
    command = [sys.executable, "-X", "dev", "-W", "ignore::ResourceWarning", "-c", program]
    ended = subprocess.run(
        [*command, core.__name__, mode],
        env={**_environment(), "PYTHONASYNCIODEBUG": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert ended.returncode == 0, ended.stderr
    assert "never awaited" not in ended.stderr
    assert "never retrieved" not in ended.stderr
    assert "was destroyed" not in ended.stderr


def _environment():
    import os
    from pathlib import Path

    root = Path(__file__).parents[2]
    return {**os.environ, "PYTHONPATH": str(root)}


def test_two_runtimes_share_a_loop(core, mode):
    async def main():
        first, second = Scenario(core, mode), Scenario(core, mode)

        async def passes_on(self, message, ctx):
            task = asyncio.current_task()
            response = await second.ask("a", message.value)
            assert asyncio.current_task() is task
            return response

        async def responds(self, message, ctx):
            if message.value:
                await asyncio.sleep(0)
            return core.MessageHandlerContext.agent_id().type

        await first.agent("passes_on", passes_on)
        await second.agent("a", responds)
        first.start()
        second.start()
        assert await first.ask("passes_on", False) == "a"
        assert await first.ask("passes_on", True) == "a"
        asked = (first.ask("passes_on", number % 2) for number in range(20))
        assert await asyncio.gather(*asked) == ["a"] * 20
        await first.idle()
        await second.idle()

    assert run(main) == []
