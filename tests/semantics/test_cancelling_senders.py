"""Cancellation of the sender: the handler continues, as in AutoGen."""

import asyncio

import pytest

from .scenario import Ask, until, words, yield_to_loop


async def slow_agent(scenario, *, fails=False):
    gate, ended = asyncio.Event(), []

    async def slow(self, message, ctx):
        await gate.wait()
        ended.append(message.value)
        if fails:
            raise ValueError
        return "too late"

    await scenario.agent("slow", slow)
    scenario.start()
    return gate, ended


async def test_the_handler_of_a_cancelled_caller_continues(scenario):
    gate, ended = await slow_agent(scenario)
    asked = asyncio.ensure_future(scenario.ask("slow", 1))
    await yield_to_loop()
    asked.cancel("given up")
    with pytest.raises(asyncio.CancelledError) as caught:
        await asked
    assert words(caught.value) == "given up"
    assert ended == []
    gate.set()
    await until(lambda: ended)
    assert await scenario.ask("slow", 2) == "too late"


async def test_the_runtime_becomes_idle_after_the_handler_of_a_cancelled_caller_fails(scenario):
    gate, ended = await slow_agent(scenario, fails=True)
    asked = asyncio.ensure_future(scenario.ask("slow"))
    await yield_to_loop()
    asked.cancel()
    await asyncio.wait({asked})
    gate.set()
    await until(lambda: ended)
    if scenario.is_upstream:  # A4: it hangs
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(scenario.runtime.stop_when_idle(), 0.05)
    else:
        await scenario.idle()


async def test_a_caller_that_is_cancelled_through_levels_leaves_all_handlers_running(scenario):
    gate, ended = await slow_agent(scenario)

    async def middle(self, message, ctx):
        try:
            return await self.send_message(Ask("inner"), scenario.id("slow"))
        finally:
            ended.append("middle")

    await scenario.agent("middle", middle)
    asked = asyncio.ensure_future(scenario.ask("middle"))
    await yield_to_loop()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await yield_to_loop()
    assert ended == []
    gate.set()
    await until(lambda: ended == ["inner", "middle"])


async def test_a_send_in_a_task_cancelled_before_its_first_step_is_never_sent(scenario):
    gate, ended = await slow_agent(scenario)
    gate.set()
    asked = asyncio.get_running_loop().create_task(scenario.ask("slow", "never"))
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await yield_to_loop()
    assert ended == []


async def test_a_handler_can_cancel_its_caller_and_respond(scenario):
    """A caller that is never suspended by its send sees the cancellation where it next waits."""
    responded, reached = [], []

    async def handler(self, message, ctx):
        message.value.cancel("by the handler")
        responded.append(1)
        return "response"

    async def caller():
        await scenario.ask("a", asyncio.current_task())
        await asyncio.sleep(0)
        reached.append(1)

    await scenario.agent("a", handler)
    scenario.start()
    calling = asyncio.ensure_future(caller())
    with pytest.raises(asyncio.CancelledError) as caught:
        await calling
    assert words(caught.value) == "by the handler"
    assert calling.cancelled()
    assert responded == [1]
    assert reached == []


async def test_a_handler_that_cancels_its_caller_and_suspends_continues(scenario):
    ended = []

    async def handler(self, message, ctx):
        message.value.cancel("by the handler")
        await yield_to_loop(3)
        ended.append(1)

    async def caller():
        await scenario.ask("a", asyncio.current_task())
        ended.append("answered")

    await scenario.agent("a", handler)
    scenario.start()
    with pytest.raises(asyncio.CancelledError) as caught:
        await asyncio.ensure_future(caller())
    assert words(caught.value) == "by the handler"
    await until(lambda: ended)
    await yield_to_loop()
    assert ended == [1]


async def test_a_handler_can_cancel_the_handler_that_waits_for_it(scenario):
    seen = []

    async def inner(self, message, ctx):
        message.value.cancel("by the inner one")
        if message.value.get_name() == "suspend":
            await yield_to_loop(3)
        seen.append("inner ended")

    async def outer(self, message, ctx):
        asyncio.current_task().set_name(message.value)
        with pytest.raises(asyncio.CancelledError) as caught:
            await self.send_message(Ask(asyncio.current_task()), scenario.id("inner"))
            await asyncio.sleep(0)
        seen.append(words(caught.value))
        return "outer ended"

    await scenario.agent("inner", inner)
    await scenario.agent("outer", outer)
    scenario.start()
    for how in ("run through", "suspend"):
        seen.clear()
        assert await scenario.ask("outer", how) == "outer ended"
        await until(lambda: len(seen) == 2)
        assert "by the inner one" in seen


async def test_a_caller_cancelled_before_its_send_is_cancelled_at_its_next_wait(scenario):
    ran = []

    async def handler(self, message, ctx):
        ran.append(asyncio.current_task())

    async def caller():
        asyncio.current_task().cancel()
        await scenario.ask("a")
        await asyncio.sleep(0)
        raise AssertionError("the cancellation was lost")

    await scenario.agent("a", handler)
    scenario.start()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(caller())
    await yield_to_loop()
    # The caller is cancelled, not the task of the handler.
    assert len(ran) == 1
    assert not ran[0].cancelled()


async def test_a_response_and_a_cancellation_in_the_same_iteration_leave_no_stray_error(scenario):
    gate, ended = await slow_agent(scenario)
    for order in ("response first", "cancellation first"):
        gate.clear()
        asked = asyncio.ensure_future(scenario.ask("slow", order))
        await yield_to_loop()
        actions = [gate.set, asked.cancel]
        for action in actions if order == "response first" else reversed(actions):
            action()
        await asyncio.wait({asked})
        await until(lambda order=order: order in ended)
    await yield_to_loop()
    assert ended == ["response first", "cancellation first"]


async def test_many_waiters_cancelled_at_once_leave_their_handlers_running(scenario):
    gate, ended = await slow_agent(scenario)
    asked = [asyncio.ensure_future(scenario.ask("slow", number)) for number in range(100)]
    await yield_to_loop(250)
    for waiter in asked:
        waiter.cancel()
    await asyncio.wait(asked)
    assert all(waiter.cancelled() for waiter in asked)
    gate.set()
    await until(lambda: len(ended) == 100)
    assert sorted(ended) == list(range(100))
