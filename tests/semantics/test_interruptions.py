"""What interrupts handlers: small stacks, the end of a runtime, signals, and other event loops."""

import asyncio
import gc
import os
import signal
import sys
import threading
import weakref

import autogen_core
import pytest

import ferrogen

from .scenario import Ask, Scenario, yield_to_loop

# Stacks.


@pytest.mark.parametrize("suspends", [False, True], ids=["ends", "suspends"])
@pytest.mark.parametrize("kilobytes", [64, 128, 256, 1024])
def test_a_deep_chain_in_a_thread_with_a_small_stack(mode, kilobytes, suspends):
    core = autogen_core if mode == "upstream" else ferrogen
    results = []

    async def main():
        scenario = Scenario(core, mode)

        async def link(self, message, ctx):
            if message.value == 0:
                if suspends:
                    await asyncio.sleep(0)
                return 0
            return 1 + await self.send_message(Ask(message.value - 1), scenario.id("link"))

        await scenario.agent("link", link)
        scenario.start()
        results.append(await scenario.ask("link", 300))
        await scenario.idle()

    def run():
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001 - the test checks it
            results.append(error)

    before = threading.stack_size(kilobytes * 1024)
    try:
        thread = threading.Thread(target=run)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert results == [300]


# The end of a runtime.


@pytest.mark.parametrize("how", ["waits", "sleeps", "awaits agent", "failed", "published"])
def test_a_dropped_runtime_with_suspended_handlers_is_collected_after_its_loop(mode, how):
    if mode == "upstream":
        pytest.skip("AutoGen's runtime is kept by the exceptions that it logs")
    gone = []

    async def main():
        scenario = Scenario(ferrogen, mode)
        scenario.collect_loop_errors()
        caught = []

        async def waits(self, message, ctx):
            here = scenario, caught, asyncio.current_task(), ctx
            if how == "failed":
                try:
                    raise KeyError(here)
                except KeyError as error:
                    caught.append(error)
            if how == "sleeps":
                while True:  # noqa: ASYNC110 - it yields in each iteration
                    await asyncio.sleep(0)
            if how == "awaits agent" and message.value is None:
                await self.send_message(Ask("inner"), scenario.id("b"))
            await asyncio.Event().wait()
            return here

        await scenario.agent("a", waits, topic="t")
        await scenario.agent("b", waits)
        scenario.start()
        agent = await scenario.runtime.try_get_underlying_agent_instance(scenario.id("a"))
        gone.extend(map(weakref.ref, (scenario, scenario.runtime, agent)))
        if how == "published":
            await scenario.publish("t")
        else:
            scenario.asked = asyncio.ensure_future(scenario.ask("a"))
        await yield_to_loop(5)

    loop = asyncio.new_event_loop()
    loop.set_debug(False)
    loop.run_until_complete(main())
    loop.close()
    del loop
    for _ in range(3):
        gc.collect()
    assert [reference() for reference in gone] == [None] * 3


async def test_a_closed_runtime_refuses_messages_in_and_outside_of_handlers(scenario):
    if scenario.is_upstream:
        pytest.skip("AutoGen's close() only closes the agents")
    gate = asyncio.Event()
    errors = []

    async def handler(self, message, ctx):
        try:
            await gate.wait()
        finally:
            for call in (self.send_message(Ask(), scenario.id("b")), scenario.publish("t")):
                try:
                    await call
                except scenario.exceptions.RuntimeStoppedError as error:  # noqa: PERF203
                    errors.append(error)

    await scenario.agent("a", handler)
    await scenario.agent("b", handler, topic="t")
    scenario.start()
    asked = asyncio.ensure_future(scenario.ask("a"))
    await yield_to_loop(3)
    scenario.is_started = False
    await scenario.runtime.close()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert len(errors) == 2
    for call in (scenario.ask("b"), scenario.publish("t")):
        with pytest.raises(scenario.exceptions.RuntimeStoppedError):
            await call


# Signals.


@pytest.mark.parametrize("suspended", [False, True], ids=["running", "suspended"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_exit_in_a_handler_ends_the_loop_as_in_a_task(mode, error, suspended):
    """It passes through the loop, which can run again afterwards."""
    core = autogen_core if mode == "upstream" else ferrogen

    async def main():
        scenario = Scenario(core, mode)

        async def handler(self, message, ctx):
            if suspended:
                await asyncio.sleep(0)
            raise error("leave")

        await scenario.agent("a", handler)
        scenario.start()
        await scenario.ask("a")

    loop = asyncio.new_event_loop()
    with pytest.raises(error, match="leave"):
        loop.run_until_complete(main())
    assert loop.run_until_complete(asyncio.sleep(0, "goes on")) == "goes on"
    with pytest.raises(RuntimeError):
        asyncio.current_task()
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(yield_to_loop())
    loop.close()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signals")
@pytest.mark.parametrize("suspended", [False, True], ids=["running", "suspended"])
def test_a_signal_handler_that_raises_interrupts_a_busy_handler(mode, suspended):
    class Interrupted(BaseException):
        pass

    def interrupt(number, frame):
        raise Interrupted

    core = autogen_core if mode == "upstream" else ferrogen
    reached = []

    async def main():
        scenario = Scenario(core, mode)

        async def handler(self, message, ctx):
            if suspended:
                await asyncio.sleep(0)
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            try:
                while True:
                    pass
            except Interrupted:
                reached.append(asyncio.current_task() is not None)
            return "interrupted"

        await scenario.agent("a", handler)
        scenario.start()
        assert await scenario.ask("a") == "interrupted"
        await scenario.idle()

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        asyncio.run(main())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert reached == [True]


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals of processes")
@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.run does so since Python 3.11")
@pytest.mark.parametrize("suspended", [False, True], ids=["running", "suspended"])
def test_ctrl_c_in_a_handler_cancels_the_main_task(mode, suspended):
    """As `asyncio.run` does: the first signal cancels the main task, and a handler goes on."""
    core = autogen_core if mode == "upstream" else ferrogen
    seen = []

    async def main():
        scenario = Scenario(core, mode)

        async def handler(self, message, ctx):
            if suspended:
                await asyncio.sleep(0)
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0.001)
            seen.append("goes on")

        await scenario.agent("a", handler)
        scenario.start()
        try:
            await scenario.ask("a")
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            await asyncio.sleep(0.005)
            seen.append("cancelled")
            raise

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(main())
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == ["goes on", "cancelled"]


# Libraries that switch stacks or run loops inside one another.


@pytest.mark.parametrize("suspends", [False, True], ids=["ends", "suspends"])
async def test_a_handler_in_a_greenlet_awaits_through_it(scenario, suspends):
    """In the style of SQLAlchemy: plain code in a greenlet awaits sends, many levels deep."""
    concurrency = pytest.importorskip("sqlalchemy.util.concurrency", reason="needs SQLAlchemy")
    pytest.importorskip("greenlet", reason="needs greenlet")
    tasks = []

    async def handler(self, message, ctx):
        mine = asyncio.current_task()
        tasks.append(mine)
        if message.value == 0:
            if suspends:
                await asyncio.sleep(0)
            return 0

        def plain():
            send = self.send_message(Ask(message.value - 1), scenario.id("a"))
            response = concurrency.await_only(send)
            assert asyncio.current_task() is mine
            return response

        response = await concurrency.greenlet_spawn(plain)
        assert asyncio.current_task() is mine
        return 1 + response

    await scenario.agent("a", handler)
    scenario.start()
    for _ in range(3):
        assert await scenario.ask("a", 30) == 30
    assert len({id(task) for task in tasks}) == len(tasks)


async def test_sends_are_stepped_in_several_greenlets(scenario):
    greenlet = pytest.importorskip("greenlet", reason="needs greenlet")
    gate = asyncio.Event()

    async def handler(self, message, ctx):
        if message.value:
            await gate.wait()
        return message.value

    await scenario.agent("a", handler)
    scenario.start()
    mine, left = asyncio.current_task(), []

    def step(value):
        coroutine = scenario.ask("a", value)
        try:
            left.append((coroutine, coroutine.send(None)))
        except StopIteration as end:
            left.append(end.value)
        assert asyncio.current_task() is mine

    for value in (False, True, False):
        greenlet.greenlet(step).switch(value)
        assert asyncio.current_task() is mine
    if scenario.mode == "inline":
        assert [isinstance(one, tuple) for one in left] == [False, True, False]
    assert len(left) == 3
    for one in left:
        if isinstance(one, tuple):
            one[0].close()
    gate.set()
    await yield_to_loop()


async def test_nest_asyncio_runs_the_loop_inside_a_handler(scenario):
    nest_asyncio = pytest.importorskip("nest_asyncio", reason="nest_asyncio is not installed")
    nest_asyncio.apply()

    async def inner(self, message, ctx):
        await asyncio.sleep(0)
        return "inner"

    async def handler(self, message, ctx):
        mine = asyncio.current_task()
        response = asyncio.get_running_loop().run_until_complete(scenario.ask("b"))
        assert asyncio.current_task() is mine
        return response

    await scenario.agent("a", handler)
    await scenario.agent("b", inner)
    scenario.start()
    assert await scenario.ask("a") == "inner"
