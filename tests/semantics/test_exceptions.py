"""Exceptions of handlers: the sender gets the same object, with the handler's frames."""

import asyncio
import sys
import traceback
from types import coroutine

import pytest

from .scenario import Ask


class Mine(Exception):
    pass


def functions(error):
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


@pytest.mark.parametrize("suspensions", [0, 1, 3])
async def test_the_sender_gets_the_very_exception_with_its_traceback(scenario, suspensions):
    error = Mine("once")

    async def deep():
        for _ in range(suspensions):
            await asyncio.sleep(0)
        raise error

    async def handler(self, message, ctx):
        await deep()

    await scenario.agent("a", handler)
    scenario.start()
    with pytest.raises(Mine) as caught:
        await scenario.ask("a")
    assert caught.value is error
    assert functions(error)[-2:] == ["handler", "deep"]
    assert error.__cause__ is None


@pytest.mark.parametrize("suspend", [False, True])
async def test_an_exception_passes_twenty_agents_and_keeps_all_their_frames(scenario, suspend):
    error = Mine()

    async def hop(self, message, ctx):
        if message.value == 0:
            if suspend:
                await asyncio.sleep(0)
            raise error
        await self.send_message(Ask(message.value - 1), scenario.id("hop", str(message.value)))

    await scenario.agent("hop", hop, keys=["default", *range(20)])
    scenario.start()
    with pytest.raises(Mine) as caught:
        await scenario.ask("hop", 19)
    assert caught.value is error
    assert functions(error).count("hop") == 20


async def test_the_context_of_an_exception_is_that_of_the_handler(scenario):
    async def handler(self, message, ctx):
        await asyncio.sleep(0)
        try:
            raise KeyError("first")
        except KeyError as first:
            await asyncio.sleep(0)
            if message.value == "caused":
                raise Mine("second") from first
            raise Mine("second")  # noqa: B904

    await scenario.agent("a", handler)
    scenario.start()
    with pytest.raises(Mine) as caught:
        await scenario.ask("a", "caused")
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(Mine) as caught:
        await scenario.ask("a", "only context")
    assert caught.value.__cause__ is None
    assert isinstance(caught.value.__context__, KeyError)


async def test_a_send_inside_an_except_block_keeps_the_exception_being_handled(scenario):
    async def handler(self, message, ctx):
        seen = sys.exc_info()[1]
        if message.value:
            await asyncio.sleep(0)
        try:
            raise Mine
        except Mine:
            return seen

    await scenario.agent("a", handler)
    scenario.start()
    for suspend in (False, True):
        with pytest.raises(KeyError) as caught:
            try:
                raise KeyError
            finally:
                being_handled = sys.exc_info()[1]
                seen = await scenario.ask("a", suspend)
                assert sys.exc_info()[1] is being_handled
        assert isinstance(caught.value, KeyError)
        assert seen is None


@pytest.mark.parametrize("depth", [1, 3])
async def test_the_exception_state_of_a_sender_is_not_visible_in_its_handler(scenario, depth):
    seen = []

    async def handler(self, message, ctx):
        seen.append(sys.exc_info()[1])
        with pytest.raises(RuntimeError, match="No active exception"):
            raise  # noqa: PLE0704 - it is what this is about
        if message.value:
            try:
                raise Mine
            except Mine:
                await self.send_message(
                    Ask(message.value - 1), scenario.id("a", str(message.value))
                )

    await scenario.agent("a", handler, keys=["default", *range(5)])
    scenario.start()
    try:
        raise KeyError
    except KeyError:
        await scenario.ask("a", depth)
    assert seen == [None] * (depth + 1)


async def test_the_exception_state_of_a_sender_is_not_visible_in_a_factory(scenario):
    seen = []

    async def handler(self, message, ctx):
        pass

    agent_class = scenario.agent_class(handler)

    def factory():
        seen.append(sys.exc_info()[1])
        return agent_class("is built late")

    await scenario.runtime.register_factory("late", factory)
    scenario.start()
    try:
        raise KeyError
    except KeyError:
        await scenario.ask("late")
    assert seen == [None]


@pytest.mark.parametrize("suspend", [False, True])
async def test_an_error_says_what_its_sender_was_handling_when_it_came(scenario, suspend):
    async def handler(self, message, ctx):
        if suspend:
            await asyncio.sleep(0)
        raise Mine("response")

    await scenario.agent("a", handler)
    scenario.start()
    with pytest.raises(Mine) as caught:
        try:
            raise KeyError("senders")
        except KeyError:
            await scenario.ask("a")
    assert isinstance(caught.value.__context__, KeyError)


@pytest.mark.parametrize("suspend", [False, True])
@pytest.mark.parametrize("built", [False, True])
async def test_a_cancellation_that_a_handler_raises_arrives_as_it_is(scenario, suspend, built):
    error = asyncio.CancelledError("two", "words")

    async def handler(self, message, ctx):
        if suspend:
            await asyncio.sleep(0)
        try:
            raise Mine
        except Mine:
            raise error  # noqa: B904 - the test checks its context

    await scenario.agent("a", handler, keys=["default"] if built else [])
    scenario.start()
    with pytest.raises(asyncio.CancelledError) as caught:
        await scenario.ask("a")
    assert caught.value is error
    assert isinstance(error.__context__, Mine)


@pytest.mark.parametrize("suspend", [False, True])
@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration])
async def test_stop_iteration_becomes_a_runtime_error_in_the_coroutine(scenario, kind, suspend):
    async def handler(self, message, ctx):
        if suspend:
            await asyncio.sleep(0)
        raise kind("value")

    await scenario.agent("a", handler)
    scenario.start()
    if kind is StopIteration:
        with pytest.raises(RuntimeError, match="coroutine raised StopIteration") as caught:
            await scenario.ask("a")
        assert isinstance(caught.value.__cause__, StopIteration)
    else:
        with pytest.raises(StopAsyncIteration, match="value"):
            await scenario.ask("a")


async def test_stop_iteration_raised_by_a_plain_function_is_not_a_response(scenario):
    def handler(self, message, ctx):
        raise StopIteration("not a response")

    await scenario.agent("a", handler)
    scenario.start()
    with pytest.raises(RuntimeError, match="raised StopIteration"):
        await scenario.ask("a")


@pytest.mark.parametrize("suspend", [False, True])
@pytest.mark.parametrize("kind", [GeneratorExit, KeyboardInterrupt, SystemExit])
async def test_other_base_exceptions_reach_the_sender_as_they_are(scenario, kind, suspend):
    error = kind("mine")

    async def handler(self, message, ctx):
        if suspend:
            await asyncio.sleep(0)
        raise error

    await scenario.agent("a", handler)
    scenario.start()
    with pytest.raises(kind) as caught:
        await scenario.ask("a")
    assert caught.value is error


@pytest.mark.parametrize("suspend", [False, True])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_the_handler_of_a_published_message_ends_the_loop(
    core, mode, kind, suspend
):
    from .scenario import Scenario

    async def main():
        scenario = Scenario(core, mode)

        async def handler(self, message, ctx):
            if suspend:
                await asyncio.sleep(0)
            raise kind("stop everything")

        await scenario.agent("a", handler, topic="t")
        scenario.start()
        await scenario.publish("t")
        await asyncio.Event().wait()

    with pytest.raises(kind, match="stop everything"):
        asyncio.run(main())


async def test_a_handler_of_the_old_kind_of_coroutine(scenario):
    @coroutine
    def old(value):
        yield
        return value

    def handler(self, message, ctx):
        return old(message.value)

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a", "response") == "response"


async def test_a_response_may_be_any_object(scenario):
    async def handler(self, message, ctx):
        if message.value:
            await asyncio.sleep(0)
        return response

    await scenario.agent("a", handler)
    scenario.start()
    for response in (None, (1, 2), StopIteration(3), ValueError(), (), Exception):
        assert await scenario.ask("a", False) is response
        assert await scenario.ask("a", True) is response
