"""The awaitable of `send_message` in all functions of asyncio that take awaitables."""

import asyncio

import pytest

from .scenario import Ask, until, yield_to_loop


async def doubling_agent(scenario):
    async def handler(self, message, ctx):
        if message.value % 3 == 0:
            await asyncio.sleep(0)
        if message.value < 0:
            raise ValueError(message.value)
        return message.value * 2

    await scenario.agent("a", handler, keys=["default", *range(50)])
    scenario.start()


async def waiting_agent(scenario):
    gate, ended = asyncio.Event(), []

    async def waits(self, message, ctx):
        await gate.wait()
        ended.append(message.value)
        return message.value

    await scenario.agent("waits", waits)
    scenario.start()
    return gate, ended


async def test_two_hundred_suspending_sends_are_gathered(scenario):
    gate, _ = await waiting_agent(scenario)
    gathered = asyncio.gather(*(scenario.ask("waits", number) for number in range(200)))
    await yield_to_loop(450)
    gate.set()
    assert await gathered == list(range(200))


async def test_gather_returns_errors_if_requested(scenario):
    await doubling_agent(scenario)
    first, error, last = await asyncio.gather(
        scenario.ask("a", 1), scenario.ask("a", -1), scenario.ask("a", 3), return_exceptions=True
    )
    assert (first, last) == (2, 6)
    assert isinstance(error, ValueError)


async def test_gather_raises_the_first_error(scenario):
    await doubling_agent(scenario)
    with pytest.raises(ValueError, match="-2"):
        await asyncio.gather(scenario.ask("a", 1), scenario.ask("a", -2), scenario.ask("a", 3))


async def test_gather_inside_a_handler(scenario):
    async def handler(self, message, ctx):
        sends = (self.send_message(Ask(n), scenario.id("a", str(n))) for n in range(message.value))
        return await asyncio.gather(*sends)

    await doubling_agent(scenario)
    await scenario.agent("gathers", handler)
    assert await scenario.ask("gathers", 50) == [number * 2 for number in range(50)]


async def test_a_cancelled_gather_cancels_its_sends(scenario):
    gate, ended = await waiting_agent(scenario)
    gathered = asyncio.gather(*(scenario.ask("waits", number) for number in range(5)))
    await yield_to_loop(30)
    gathered.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gathered
    assert ended == []
    gate.set()
    await until(lambda: sorted(ended) == [0, 1, 2, 3, 4])


async def test_a_send_can_be_a_task(scenario):
    await doubling_agent(scenario)
    task = asyncio.create_task(scenario.ask("a", 3))
    assert isinstance(task, asyncio.Task)
    assert await task == 6
    assert await asyncio.create_task(scenario.ask("a", 1), name="named") == 2
    assert await asyncio.get_running_loop().create_task(scenario.ask("a", 4)) == 8


async def test_a_send_can_be_ensured_as_a_future(scenario):
    await doubling_agent(scenario)
    future = asyncio.ensure_future(scenario.ask("a", 3))
    assert asyncio.isfuture(future)
    assert not future.done()
    called = []
    future.add_done_callback(called.append)
    assert await future == 6
    await yield_to_loop(2)
    assert called == [future]
    assert future.done()
    assert future.result() == 6
    assert future.exception() is None
    assert await future == 6


async def test_an_ensured_send_starts_without_a_waiter(scenario):
    gate, ended = await waiting_agent(scenario)
    future = asyncio.ensure_future(scenario.ask("waits", 1))
    gate.set()
    await until(lambda: ended)
    await until(future.done)
    assert future.result() == 1
    later = asyncio.ensure_future(scenario.ask("waits", 2))
    assert later.cancel("before it began")
    with pytest.raises(asyncio.CancelledError):
        await later
    assert later.cancelled()
    await yield_to_loop()
    assert ended == [1]


async def test_an_ensured_send_that_fails_holds_its_error(scenario):
    await doubling_agent(scenario)
    future = asyncio.ensure_future(scenario.ask("a", -1))
    await asyncio.wait([future])
    assert isinstance(future.exception(), ValueError)
    with pytest.raises(ValueError, match="-1"):
        future.result()
    with pytest.raises(ValueError, match="-1"):
        await future


async def test_a_shielded_send_outlives_its_waiter(scenario):
    gate, _ = await waiting_agent(scenario)
    send = asyncio.ensure_future(scenario.ask("waits", "shielded"))
    outer = asyncio.shield(send)
    await yield_to_loop()
    outer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await outer
    assert not send.done()
    gate.set()
    assert await send == "shielded"
    assert await asyncio.shield(scenario.ask("waits", "again")) == "again"


async def test_wait_returns_the_finished_and_the_pending(scenario):
    await doubling_agent(scenario)
    quick = asyncio.ensure_future(scenario.ask("a", 1))
    never = asyncio.ensure_future(asyncio.Event().wait())
    done, pending = await asyncio.wait([quick, never], return_when=asyncio.FIRST_COMPLETED)
    assert done == {quick}
    assert pending == {never}
    never.cancel()


async def test_as_completed_yields_the_responses_in_the_order_of_arrival(scenario):
    gates = {name: asyncio.Event() for name in "abc"}

    async def handler(self, message, ctx):
        await gates[message.value].wait()
        return message.value

    await scenario.agent("a", handler)
    scenario.start()
    responses = []
    for position, waiting in enumerate(asyncio.as_completed([scenario.ask("a", n) for n in "abc"])):
        await yield_to_loop()
        gates["cab"[position]].set()
        responses.append(await waiting)
    assert responses == ["c", "a", "b"]


async def test_nothing_runs_before_a_gathered_send_is_waited_for(scenario):
    started = []

    async def handler(self, message, ctx):
        started.append(message.value)

    await scenario.agent("a", handler)
    scenario.start()
    gathered = asyncio.gather(scenario.ask("a", 1), scenario.ask("a", 2))
    assert started == []
    await gathered
    assert started == [1, 2]


async def test_a_send_from_another_thread(scenario):
    await doubling_agent(scenario)
    loop = asyncio.get_running_loop()

    def in_thread():
        return asyncio.run_coroutine_threadsafe(scenario.ask("a", 21), loop).result(30)

    assert await asyncio.to_thread(in_thread) == 42


async def test_a_publish_goes_into_the_same_places(scenario):
    handled = []

    async def handler(self, message, ctx):
        handled.append(message.value)

    await scenario.agent("a", handler, topic="t")
    scenario.start()
    assert await scenario.publish("t", 1) is None
    assert await asyncio.create_task(scenario.publish("t", 2)) is None
    assert await asyncio.wait_for(scenario.publish("t", 3), 60) is None
    assert await asyncio.gather(scenario.publish("t", 4), scenario.publish("t", 5)) == [None, None]
    await asyncio.shield(scenario.publish("t", 6))
    await until(lambda: len(handled) == 6)
    assert handled == [1, 2, 3, 4, 5, 6]
