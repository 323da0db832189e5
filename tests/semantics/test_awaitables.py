"""The object that `send_message` returns behaves as a coroutine does."""

import asyncio
import gc
import inspect
import warnings
import weakref
from contextlib import contextmanager

import pytest

from .scenario import Ask, until, yield_to_loop


@contextmanager
def never_awaited_warnings():
    """Collect the warnings about coroutines that were never awaited, finalizers included."""
    gc.collect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = []
        yield found
        gc.collect()
    found += [w for w in caught if "was never awaited" in str(w.message)]


async def echoing_agent(scenario):
    started = []

    async def handler(self, message, ctx):
        started.append(message.value)
        if message.value == "suspend":
            await asyncio.sleep(0)
        return message.value

    await scenario.agent("a", handler, topic="t")
    scenario.start()
    return started


@pytest.mark.parametrize("method", ["send_message", "publish_message"])
async def test_a_message_that_is_never_awaited_is_warned_about_and_not_sent(scenario, method):
    started = await echoing_agent(scenario)
    with never_awaited_warnings() as caught:
        scenario.ask("a") if method == "send_message" else scenario.publish("t")
    assert [w.category for w in caught] == [RuntimeWarning]
    assert method in str(caught[0].message)
    await yield_to_loop()
    assert started == []


@pytest.mark.parametrize("method", ["send_message", "publish_message"])
async def test_a_message_that_is_closed_instead_is_neither_warned_about_nor_sent(scenario, method):
    started = await echoing_agent(scenario)
    with never_awaited_warnings() as caught:
        send = scenario.ask("a") if method == "send_message" else scenario.publish("t")
        send.close()
        del send
    assert caught == []
    await yield_to_loop()
    assert started == []


async def test_sends_of_agents_are_warned_about_too(scenario):
    async def handler(self, message, ctx):
        self.send_message(Ask(), self.id)

    await scenario.agent("a", handler)
    scenario.start()
    with never_awaited_warnings() as caught:
        await scenario.ask("a")
    assert len(caught) == 1
    assert "send_message" in str(caught[0].message)


async def test_an_awaited_send_gives_no_warning(scenario):
    await echoing_agent(scenario)
    with never_awaited_warnings() as caught:
        await scenario.ask("a")
        await scenario.ask("a", "suspend")
        await scenario.publish("t")
        await yield_to_loop()
    assert caught == []


async def test_a_send_is_awaited_once(scenario):
    await echoing_agent(scenario)
    send = scenario.ask("a", "once")
    assert await send == "once"
    with pytest.raises(RuntimeError, match="cannot reuse already awaited"):
        await send


async def test_a_send_is_recognised_as_awaitable(scenario):
    await echoing_agent(scenario)
    send = scenario.ask("a")
    assert inspect.isawaitable(send)
    assert asyncio.iscoroutine(send)
    await send


async def test_a_send_can_be_stepped_manually(scenario):
    """Its steps are those of a coroutine: `send`, `throw`, `close`."""
    await echoing_agent(scenario)
    send = scenario.ask("a", "suspend")
    future = send.send(None)
    assert future is None or hasattr(future, "_asyncio_future_blocking")
    with pytest.raises(ValueError, match="thrown in"):
        send.throw(ValueError("thrown in"))
    with pytest.raises(RuntimeError, match="cannot reuse already awaited"):
        send.send(None)
    await yield_to_loop()


async def test_throwing_into_a_send_that_has_not_begun_ends_it(scenario):
    started = await echoing_agent(scenario)
    send = scenario.ask("a")
    with pytest.raises(ValueError, match="thrown in"):
        send.throw(ValueError("thrown in"))
    await yield_to_loop()
    assert started == []


async def test_closing_a_send_that_has_begun_leaves_its_handler_running(scenario):
    gate, ended = asyncio.Event(), []

    async def handler(self, message, ctx):
        await gate.wait()
        ended.append(1)

    await scenario.agent("a", handler)
    scenario.start()
    send = scenario.ask("a")
    send.send(None)
    await yield_to_loop()
    send.close()
    send.close()
    gate.set()
    await until(lambda: ended)


async def test_a_send_works_through_await_and_yield_from(scenario):
    await echoing_agent(scenario)

    class Forwarding:
        def __init__(self, send):
            self.send = send

        def __await__(self):
            return (yield from self.send.__await__())

    assert await Forwarding(scenario.ask("a", "suspend")) == "suspend"
    assert await Forwarding(scenario.ask("a", "through")) == "through"


async def test_a_cycle_through_a_send_that_is_never_awaited_is_collected(scenario):
    class Holder:
        pass

    await echoing_agent(scenario)
    # A recorded warning would keep the coroutine, on CPython 3.15.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        holder = Holder()
        holder.send = scenario.ask("a", holder)
        dead = weakref.ref(holder)
        del holder
        gc.collect()
        assert dead() is None


async def test_a_cycle_through_a_send_that_was_closed_is_collected(scenario):
    class Holder:
        pass

    await echoing_agent(scenario)
    holder = Holder()
    holder.send = scenario.ask("a", holder)
    holder.send.close()
    dead = weakref.ref(holder)
    del holder
    gc.collect()
    assert dead() is None


async def test_a_cycle_through_an_abandoned_send_is_collected_when_its_handler_has_ended(scenario):
    class Holder:
        pass

    gate = asyncio.Event()

    async def handler(self, message, ctx):
        await gate.wait()
        return message.value

    await scenario.agent("a", handler)
    scenario.start()
    holder = Holder()
    holder.send = scenario.ask("a", holder)
    holder.send.send(None)
    await yield_to_loop()
    dead = weakref.ref(holder)
    del holder
    gate.set()
    await yield_to_loop()
    gc.collect()
    await yield_to_loop()
    assert dead() is None


async def test_two_tasks_that_await_one_send_both_end(scenario):
    gate = asyncio.Event()

    async def handler(self, message, ctx):
        await gate.wait()
        return "answered"

    await scenario.agent("a", handler)
    scenario.start()
    sending = scenario.ask("a")
    both = [asyncio.create_task(sending) for _ in range(2)]
    await yield_to_loop()
    gate.set()
    done, _ = await asyncio.wait(both, timeout=150)
    assert done == set(both)
    # Which of them gets the response, if any, is undefined.
    errors = [one.exception() for one in both if one.exception() is not None]
    assert errors
    assert {type(error) for error in errors} == {RuntimeError}
