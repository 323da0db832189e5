"""Handlers that yield to the event loop before they respond."""

import asyncio
import contextvars
import gc
import sys

import pytest

from .scenario import Ask, Switch, until, words, yield_to_loop

MINE = contextvars.ContextVar("mine", default=None)


async def patient_agent(scenario, count=3, *, fails=False):
    """Register an agent that yields so many times; return the list of its steps."""
    done = []

    async def yields(self, message, ctx):
        for number in range(count):
            done.append(number)
            await asyncio.sleep(0)
        done.append("end")
        if fails:
            raise ValueError("in vain")
        return message.value

    await scenario.agent("patient", yields)
    scenario.start()
    return done


async def test_other_tasks_run_at_each_yield(scenario):
    done = await patient_agent(scenario)

    async def other():
        while "end" not in done:
            done.append("other")
            await asyncio.sleep(0)

    others = asyncio.ensure_future(other())
    await until(lambda: done)
    assert await scenario.ask("patient", "x") == "x"
    await others
    steps_of_others = [done[done.index(number) + 1] for number in range(3)]
    assert steps_of_others == ["other"] * 3
    assert done.count("end") == 1


async def test_messages_are_handled_between_yields(scenario):
    done = await patient_agent(scenario, 10)
    asked = asyncio.ensure_future(scenario.ask("patient", "first"))
    await until(lambda: done)
    assert await scenario.ask("patient", "second") == "second"
    assert await asked == "first"
    assert done.count("end") == 2


async def test_the_task_and_the_context_are_the_same_after_each_yield(scenario):
    seen = []

    async def looks(self, message, ctx):
        MINE.set(message.value)
        for _ in range(3):
            seen.append((asyncio.current_task(), MINE.get()))
            await asyncio.sleep(0)
        return MINE.get()

    await scenario.agent("looks", looks)
    scenario.start()
    MINE.set("sender's")
    assert await scenario.ask("looks", 1) == 1
    assert await scenario.ask("looks", 2) == 2
    assert [value for _, value in seen] == [1, 1, 1, 2, 2, 2]
    first, second = ({task for task, value in seen if value == one} for one in (1, 2))
    assert len(first) == len(second) == 1
    assert asyncio.current_task() not in first | second
    assert MINE.get() == "sender's"


async def test_a_task_that_is_inspected_after_a_yield_is_the_same(scenario):
    async def looks(self, message, ctx):
        await asyncio.sleep(0)
        task = asyncio.current_task()
        task.set_name("touched")
        await asyncio.sleep(0)
        return asyncio.current_task() is task and task.get_name()

    await scenario.agent("looks", looks)
    scenario.start()
    assert await scenario.ask("looks") == "touched"


async def test_the_sender_gets_an_error_that_is_raised_after_a_yield(scenario):
    done = await patient_agent(scenario, fails=True)
    with pytest.raises(ValueError, match="in vain"):
        await scenario.ask("patient")
    assert done[-1] == "end"
    await scenario.idle()


async def test_the_exception_state_after_a_yield_is_that_of_the_handler(scenario):
    async def looks(self, message, ctx):
        await asyncio.sleep(0)
        seen = [sys.exc_info()[0]]
        try:
            raise KeyError
        except KeyError:
            await asyncio.sleep(0)
            seen.append(sys.exc_info()[0])
        await asyncio.sleep(0)
        return [*seen, sys.exc_info()[0]]

    await scenario.agent("looks", looks)
    scenario.start()
    try:
        raise ValueError
    except ValueError:
        assert await scenario.ask("looks") == [None, KeyError, None]
        assert sys.exc_info()[0] is ValueError


@pytest.mark.parametrize("yields", [1, 2])
async def test_a_handler_continues_when_its_sender_is_cancelled_during_a_yield(scenario, yields):
    done = await patient_agent(scenario, 5)
    asked = asyncio.ensure_future(scenario.ask("patient"))
    await until(lambda: len(done) >= yields)
    asked.cancel("given up")
    with pytest.raises(asyncio.CancelledError) as caught:
        await asked
    assert words(caught.value) == "given up"
    assert "end" not in done
    await until(lambda: "end" in done)
    assert await scenario.ask("patient", "again") == "again"
    await scenario.idle()


async def test_a_handler_that_fails_without_its_sender_leaves_the_runtime_idle(scenario):
    done = await patient_agent(scenario, 3, fails=True)
    asked = asyncio.ensure_future(scenario.ask("patient"))
    await until(lambda: done)
    asked.cancel()
    await asyncio.wait({asked})
    await until(lambda: "end" in done)
    if not scenario.is_upstream:  # A4: it hangs
        await scenario.idle()


async def test_a_sender_that_gives_up_waiting_leaves_its_handler_running(scenario):
    ended = []

    async def spins(self, message, ctx):
        for _ in range(message.value):
            await asyncio.sleep(0)
        ended.append(True)

    await scenario.agent("spins", spins)
    scenario.start()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(scenario.ask("spins", 20_000), 0.001)
    assert not ended
    await until(lambda: ended)
    await scenario.idle()


async def test_a_handler_continues_when_its_awaiter_is_closed(scenario):
    done = await patient_agent(scenario)
    send = scenario.ask("patient")
    waiter = send.__await__()
    waiter.send(None)
    for _ in range(20):  # upstream needs an iteration to start
        if done:
            break
        await asyncio.sleep(0)
    waiter.close()
    await until(lambda: "end" in done)
    await scenario.idle()


async def test_a_handler_continues_when_its_awaiter_is_dropped(scenario):
    done = await patient_agent(scenario)

    async def asks():
        await scenario.ask("patient")

    asked = asks()
    asked.send(None)
    await until(lambda: done)
    del asked
    gc.collect()
    await until(lambda: "end" in done)
    await scenario.idle()


async def test_yields_may_precede_and_follow_other_suspensions(scenario):
    gate, order = asyncio.Event(), []

    async def waits(self, message, ctx):
        for step in ("yields", gate.wait(), "yields", Switch(), "yields"):
            order.append(type(step).__name__)
            await (asyncio.sleep(0) if isinstance(step, str) else step)
        return "done"

    await scenario.agent("waits", waits)
    scenario.start()
    asked = asyncio.ensure_future(scenario.ask("waits"))
    await yield_to_loop()
    assert order == ["str", "coroutine"]
    gate.set()
    assert await asked == "done"
    assert order == ["str", "coroutine", "str", "Switch", "str"]


async def test_agents_that_send_to_each_other_may_yield(scenario):
    seen = []

    async def passes_on(self, message, ctx):
        MINE.set(message.value)
        await asyncio.sleep(0)
        if message.value:
            own = asyncio.current_task()
            inner = await self.send_message(
                Ask(message.value - 1), scenario.id("c", str(message.value - 1))
            )
            assert asyncio.current_task() is own
            assert inner == message.value - 1
        await asyncio.sleep(0)
        seen.append(MINE.get())
        return message.value

    await scenario.agent("c", passes_on, keys=range(20))
    scenario.start()
    for depth in (1, 3, 12, 19):
        assert await scenario.ask("c", depth, key=str(depth)) == depth
    assert seen == [*range(2), *range(4), *range(13), *range(20)]
    await scenario.idle()


async def test_a_token_created_after_a_yield_cancels_the_awaiter_of_the_handler(scenario):
    tokens, ended = [], []

    async def lends_its_token(self, message, ctx):
        await asyncio.sleep(0)
        tokens.append(ctx.cancellation_token)
        for _ in range(10):
            await asyncio.sleep(0)
        ended.append(True)

    await scenario.agent("lends", lends_its_token)
    scenario.start()
    asked = asyncio.ensure_future(scenario.ask("lends"))
    await until(lambda: tokens)
    assert not asked.done()
    tokens[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert not ended
    await until(lambda: ended)


async def test_a_yielding_handler_continues_after_stop(scenario):
    if scenario.is_upstream:
        pytest.skip("upstream delivers no response after a stop")
    done = await patient_agent(scenario, 5)
    asked = asyncio.ensure_future(scenario.ask("patient", "x"))
    await until(lambda: done)
    await scenario.stop()
    assert await asked == "x"
    assert done[-1] == "end"


async def test_a_yielding_handler_is_cancelled_by_close(scenario):
    if scenario.is_upstream:
        pytest.skip("upstream closes without regard to running handlers")
    done = await patient_agent(scenario, 1_000)
    asked = asyncio.ensure_future(scenario.ask("patient"))
    await until(lambda: done)
    scenario.is_started = False
    await scenario.runtime.close()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await yield_to_loop()
    assert "end" not in done


async def test_a_yielding_handler_is_among_all_tasks(scenario):
    done = await patient_agent(scenario, 100)
    before = asyncio.all_tasks()
    asked = asyncio.ensure_future(scenario.ask("patient", "x"))
    await until(lambda: len(done) > 1)
    handlers = asyncio.all_tasks() - before - {asked}
    assert len(handlers) == 1
    assert await asked == "x"
    await yield_to_loop()
    assert not handlers & asyncio.all_tasks()


async def test_a_handler_that_yields_forever_ends_when_all_tasks_are_cancelled(scenario):
    seen = []

    async def spins(self, message, ctx):
        try:
            while True:
                seen.append("yields")
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    await scenario.agent("spins", spins)
    scenario.start()
    before = asyncio.all_tasks()
    asked = asyncio.ensure_future(scenario.ask("spins"))
    await until(lambda: len(seen) > 2)
    others = asyncio.all_tasks() - before
    for task in others:  # as `asyncio.run` does in the end
        task.cancel()
    await asyncio.wait(others)
    assert seen[-1] == "cancelled"
    assert asked.cancelled()
    if not scenario.is_upstream:  # A4: it hangs
        await scenario.idle()


async def test_gathered_handlers_may_yield(scenario):
    order = []

    async def notes(self, message, ctx):
        for _ in range(2):
            order.append(message.value)
            await asyncio.sleep(0)
        return message.value

    await scenario.agent("notes", notes, keys="abc")
    scenario.start()
    asked = [scenario.ask("notes", key, key=key) for key in "abc"]
    assert await asyncio.gather(*asked) == ["a", "b", "c"]
    assert sorted(order) == ["a", "a", "b", "b", "c", "c"]


async def test_stopping_when_idle_waits_for_a_yielding_handler(scenario):
    done = await patient_agent(scenario, 10)
    asked = asyncio.ensure_future(scenario.ask("patient", "x"))
    await until(lambda: done)
    await scenario.idle()
    assert done[-1] == "end"
    assert await asked == "x"
