"""Gathered sends that fail or are cancelled."""

import asyncio
import gc

import pytest

from .scenario import Ask, Switch, echo, words, yield_to_loop


async def test_a_gather_that_is_cancelled_before_it_begins_sends_nothing(scenario):
    handled = []

    async def handler(self, message, ctx):
        handled.append(message.value)

    await scenario.agent("a", handler)
    scenario.start()
    gathered = asyncio.gather(scenario.ask("a", 1), scenario.ask("a", 2))
    gathered.cancel("not now")
    with pytest.raises(asyncio.CancelledError) as raised:
        await gathered
    assert words(raised.value) == "not now"
    await yield_to_loop()
    assert handled == []


async def test_a_handler_may_cancel_the_gather_it_is_part_of(scenario):
    gathered = None

    async def handler(self, message, ctx):
        if message.value == "cancels":
            gathered.cancel()
        return message.value

    await scenario.agent("a", handler)
    scenario.start()
    gathered = asyncio.gather(scenario.ask("a", "cancels"), scenario.ask("a", "another"))
    with pytest.raises(asyncio.CancelledError):
        await gathered
    # The runtime is none the worse for it.
    assert await scenario.ask("a", "later") == "later"
    await scenario.idle()


async def test_a_handler_that_is_cancelled_cancels_the_gather(scenario):
    async def handler(self, message, ctx):
        raise asyncio.CancelledError("by itself")

    await scenario.agent("a", handler)
    scenario.start()
    if scenario.is_upstream:
        pytest.skip("upstream's queue ends with the handler")
    with pytest.raises(asyncio.CancelledError):
        await asyncio.gather(scenario.ask("a"))
    results = await asyncio.gather(scenario.ask("a"), return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)


async def test_a_token_ends_the_waiting_of_a_gathered_send(scenario):
    gate = asyncio.Event()

    async def handler(self, message, ctx):
        await gate.wait()

    await scenario.agent("a", handler)
    scenario.start()
    token = scenario.core.CancellationToken()
    gathered = asyncio.gather(
        scenario.ask("a", 1, cancellation_token=token), return_exceptions=True
    )
    await yield_to_loop()
    token.cancel()
    results = await gathered
    assert isinstance(results[0], asyncio.CancelledError)
    gate.set()
    await scenario.idle()


async def test_errors_and_responses_are_in_the_order_of_the_sends(scenario):
    async def handler(self, message, ctx):
        if message.value % 2:
            await Switch()
        if message.value % 3 == 0:
            raise KeyError(message.value)
        return message.value

    await scenario.agent("a", handler)
    scenario.start()
    results = await asyncio.gather(
        *(scenario.ask("a", number) for number in range(12)), return_exceptions=True
    )
    for number, result in enumerate(results):
        if number % 3 == 0:
            assert isinstance(result, KeyError)
            assert result.args == (number,)
        else:
            assert result == number


async def test_an_error_without_a_waiter_is_not_reported(scenario):
    scenario.collect_loop_errors()

    async def handler(self, message, ctx):
        raise ValueError(message.value)

    await scenario.agent("a", handler)
    scenario.start()
    with pytest.raises(ValueError, match="first"):
        await asyncio.gather(scenario.ask("a", "first"), scenario.ask("a", "second"))
    await yield_to_loop()
    gc.collect()
    assert scenario.loop_errors == []


async def test_what_is_gathered_when_the_runtime_stops_is_refused(scenario):
    if scenario.is_upstream:
        pytest.skip("upstream lets them wait forever")
    await scenario.agent("a", echo)
    scenario.start()
    gathered = asyncio.gather(*(scenario.ask("a", n) for n in range(3)), return_exceptions=True)
    await scenario.stop()
    refusals = await asyncio.wait_for(gathered, 150)
    assert [type(one) for one in refusals] == [scenario.exceptions.RuntimeStoppedError] * 3


@pytest.mark.parametrize("ending", [SystemExit, KeyboardInterrupt])
def test_what_ends_the_program_leaves_the_loop(core, ending):

    async def program():
        class Ends(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                raise ending("enough")

        runtime = core.SingleThreadedAgentRuntime()
        await Ends("ends it").register_instance(runtime, core.AgentId("a", "b"))
        runtime.start()
        await asyncio.gather(runtime.send_message(Ask(), core.AgentId("a", "b")))

    with pytest.raises(ending, match="enough"):
        asyncio.run(program())


async def test_an_unusual_error_of_one_send_is_a_result_and_ends_no_other(scenario):
    class Odd(BaseException):
        pass

    async def handler(self, message, ctx):
        raise Odd(message.value)

    await scenario.agent("a", handler)
    scenario.start()
    both = [scenario.ask("a", number) for number in range(2)]
    first, second = await asyncio.gather(*both, return_exceptions=True)
    assert (type(first), type(second)) == (Odd, Odd)
    assert scenario.loop_errors == []


async def test_a_handler_that_cancels_itself_is_reported_as_a_task_would_be(scenario):
    async def handler(self, message, ctx):
        raise asyncio.CancelledError("its own words")

    await scenario.agent("a", handler)
    scenario.start()
    gathered = await asyncio.gather(scenario.ask("a"), return_exceptions=True)

    async def cancelled():
        raise asyncio.CancelledError("its own words")

    alike = await asyncio.gather(asyncio.create_task(cancelled()), return_exceptions=True)
    assert [repr(one) for one in gathered] == [repr(one) for one in alike]


@pytest.mark.parametrize("first_waits", [True, False])
async def test_a_cancelled_gather_ends_even_if_some_sends_are_done(scenario, first_waits):
    """`gather` takes the cancellation from its last awaitable, done or not."""
    gate = asyncio.Event()

    async def handler(self, message, ctx):
        if message.value == "waits":
            await gate.wait()
        return message.value

    await scenario.agent("a", handler)
    scenario.start()
    values = ["waits", "responses"] if first_waits else ["responses", "waits"]
    gathered = asyncio.gather(*(scenario.ask("a", one) for one in values), return_exceptions=True)
    await yield_to_loop()
    assert gathered.cancel()
    done, _ = await asyncio.wait({gathered}, timeout=150)
    assert done == {gathered}
    with pytest.raises(asyncio.CancelledError):
        await gathered
    gate.set()
