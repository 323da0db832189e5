"""Streams: parts on demand, errors, and the end of the generator when the reader leaves."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    CancellationToken,
    MessageContext,
    RetryPolicy,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
    message_handler,
    rpc,
    stream,
)
from ferrogen.exceptions import (
    DeadlineExceededError,
    MailboxFullError,
    RecipientNotFoundError,
    StreamError,
)

from ..function_agents import Doing, is_idle, register, tally
from .clock import now
from .messages import Question, Reply

Runtime = SingleThreadedAgentRuntime


@dataclass
class CountTo:
    number: int
    pause: float = 0.0
    error: bool = False


class Counter(RoutedAgent):
    """An agent that streams numbers, and records how far it is."""

    def __init__(self, log: list[Any]) -> None:
        super().__init__("counts")
        self.log = log
        self.tokens: list[CancellationToken] = []

    @stream
    async def count(self, message: CountTo, ctx: MessageContext) -> AsyncIterator[int]:
        self.tokens.append(ctx.cancellation_token)
        try:
            for number in range(1, message.number + 1):
                if message.pause:
                    await asyncio.sleep(message.pause)
                self.log.append(number)
                yield number
            if message.error:
                raise ZeroDivisionError("after the last part")
            self.log.append("end")
        except (GeneratorExit, asyncio.CancelledError) as error:
            self.log.append(type(error).__name__)
            raise
        finally:
            self.log.append("closed")

    @rpc
    async def respond(self, message: Question, ctx: MessageContext) -> Reply:
        self.log.append(message)
        return Reply(message.text)


ONE = AgentId("counter", "one")


@pytest.fixture
async def log(runtime: Runtime) -> list[Any]:
    """What the counter of the runtime records."""
    record: list[Any] = []
    await Counter.register(runtime, "counter", lambda: Counter(record))
    return record


async def test_all_parts_are_read_in_order(runtime: Runtime, log: list[Any]) -> None:
    assert [part async for part in runtime.stream(CountTo(3), ONE)] == [1, 2, 3]
    assert log == [1, 2, 3, "end", "closed"]
    assert is_idle(runtime)
    assert tally(runtime)["accepted"] == 1


async def test_parts_arrive_when_they_are_computed(runtime: Runtime, log: list[Any]) -> None:
    arrivals = [(part, now()) async for part in runtime.stream(CountTo(3, pause=2), ONE)]
    assert arrivals == [(1, 2.0), (2, 4.0), (3, 6.0)]


async def test_a_stream_may_be_empty_and_parts_may_be_anything(
    runtime: Runtime, log: list[Any]
) -> None:
    class Odd(RoutedAgent):
        @stream
        async def parts(self, message: Question, ctx: MessageContext) -> AsyncIterator[Any]:
            for part in (None, StopAsyncIteration, (), log):
                yield part

    await Odd.register(runtime, "odd", lambda: Odd("odd"))
    assert [part async for part in runtime.stream(CountTo(0), ONE)] == []
    parts = runtime.stream(Question("?"), AgentId("odd", "x"))
    assert [part async for part in parts] == [None, StopAsyncIteration, (), log]


async def test_nothing_is_computed_ahead_of_the_reader(runtime: Runtime, log: list[Any]) -> None:
    parts = runtime.stream(CountTo(100), ONE)
    assert log == []
    for number in (1, 2, 3):
        assert await parts.__anext__() == number
        await asyncio.sleep(60)
        assert log == list(range(1, number + 1))
    await parts.aclose()


async def test_an_error_is_raised_after_the_parts_before_it(
    runtime: Runtime, log: list[Any]
) -> None:
    received = []
    with pytest.raises(ZeroDivisionError, match="after the last part"):
        async for part in runtime.stream(CountTo(2, error=True), ONE):
            received.append(part)  # noqa: PERF401 - the parts before the error are kept
    assert received == [1, 2]
    assert log == [1, 2, "closed"]


async def test_closing_the_iterator_closes_the_generator(runtime: Runtime, log: list[Any]) -> None:
    async with aclosing(runtime.stream(CountTo(100), ONE)) as parts:
        async for part in parts:
            if part == 2:
                break
    assert log == [1, 2, "GeneratorExit", "closed"]
    assert is_idle(runtime)


async def test_a_break_closes_the_generator(runtime: Runtime, log: list[Any]) -> None:
    async for part in runtime.stream(CountTo(100), ONE):
        if part == 2:
            break
    gc.collect()
    await runtime.stop_when_idle()
    assert log == [1, 2, "GeneratorExit", "closed"]


async def test_cancelling_the_reader_cancels_the_computation_of_a_part(
    runtime: Runtime, log: list[Any]
) -> None:
    async def read() -> None:
        async for _ in runtime.stream(CountTo(100, pause=10), ONE):
            pass

    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(read(), 25)
    assert log == [1, 2, "CancelledError", "closed"]
    assert is_idle(runtime)
    assert now() == 25


async def test_leaving_waits_until_the_generator_is_closed(runtime: Runtime) -> None:
    closed: list[float] = []

    class Slow(RoutedAgent):
        @stream
        async def parts(self, message: Question, ctx: MessageContext) -> AsyncIterator[int]:
            try:
                while True:
                    yield 1
            finally:
                await asyncio.sleep(7)
                closed.append(now())

    await Slow.register(runtime, "slow", lambda: Slow("slow"))
    async with aclosing(runtime.stream(Question("?"), AgentId("slow", "x"))) as parts:
        assert await parts.__anext__() == 1
    assert closed == [7.0]


async def test_a_generator_that_goes_on_after_a_cancellation_is_closed(runtime: Runtime) -> None:
    log: list[str] = []

    class Stubborn(RoutedAgent):
        @stream
        async def parts(self, message: Question, ctx: MessageContext) -> AsyncIterator[str]:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                log.append("ignored")
            try:
                yield "late"
            finally:
                log.append("closed")

    await Stubborn.register(runtime, "stubborn", lambda: Stubborn("ignores"))
    reading = asyncio.ensure_future(
        runtime.stream(Question("?"), AgentId("stubborn", "x")).__anext__()
    )
    await asyncio.sleep(5)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert log == ["ignored", "closed"]


async def test_an_error_after_the_reader_has_left_is_logged(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(RoutedAgent):
        @stream
        async def parts(self, message: Question, ctx: MessageContext) -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                raise KeyError("closing")

    await Broken.register(runtime, "broken", lambda: Broken("broken"))
    with caplog.at_level(logging.ERROR):
        async with aclosing(runtime.stream(Question("?"), AgentId("broken", "x"))) as parts:
            await parts.__anext__()
    assert "the stream of Question to broken/x failed after its reader had left" in caplog.text


async def test_a_reader_that_leaves_before_the_handler_begins_is_never_served(
    runtime: Runtime, log: list[Any]
) -> None:
    runtime.set_agent_options("counter", AgentOptions(concurrency=1))
    first = runtime.stream(CountTo(2), ONE)
    assert await first.__anext__() == 1

    async def read() -> None:
        async for _ in runtime.stream(CountTo(5), ONE):
            pass

    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(read(), 5)
    assert [part async for part in first] == [2]
    await runtime.stop_when_idle()
    assert log == [1, 2, "end", "closed"]
    assert tally(runtime)["failed"] == 0


async def test_a_stream_counts_as_one_running_message(runtime: Runtime, log: list[Any]) -> None:
    runtime.set_agent_options("counter", AgentOptions(concurrency=1, capacity=1))
    parts = runtime.stream(CountTo(2), ONE)
    await parts.__anext__()
    queued = asyncio.ensure_future(runtime.send_message(Question("?"), ONE))
    await asyncio.sleep(1)
    assert not queued.done()
    with pytest.raises(MailboxFullError):
        await runtime.stream(CountTo(1), ONE).__anext__()
    assert [part async for part in parts] == [2]
    assert await queued == Reply("?")


async def test_streams_of_one_agent_are_independent(runtime: Runtime, log: list[Any]) -> None:
    first, second = runtime.stream(CountTo(2), ONE), runtime.stream(CountTo(3), ONE)
    received = [await each.__anext__() for each in (first, second, first, second)]
    assert received == [1, 1, 2, 2]
    assert [part async for part in first] == []
    assert [part async for part in second] == [3]


async def test_an_agent_reads_a_stream_as_itself(runtime: Runtime) -> None:
    class Named(RoutedAgent):
        @stream
        async def parts(self, message: Question, ctx: MessageContext) -> AsyncIterator[Any]:
            yield ctx.sender
            yield ctx.is_rpc

    async def read(agent: Doing, message: Any, ctx: MessageContext) -> Any:
        return [part async for part in agent.stream(message, AgentId("named", "x"))]

    await Named.register(runtime, "named", lambda: Named("names"))
    a = await register(runtime, "a", read)
    assert await runtime.send_message(Question("?"), a("me")) == [AgentId("a", "me"), True]


async def test_a_stream_of_a_stream_ends_with_its_reader(runtime: Runtime, log: list[Any]) -> None:
    class Doubler(RoutedAgent):
        @stream
        async def double(self, message: CountTo, ctx: MessageContext) -> AsyncIterator[int]:
            async with aclosing(self.stream(message, ONE)) as parts:
                async for part in parts:
                    yield 2 * part

    await Doubler.register(runtime, "doubler", lambda: Doubler("doubles"))
    async with aclosing(runtime.stream(CountTo(100, 10), AgentId("doubler", "x"))) as parts:
        assert [await parts.__anext__() for _ in range(3)] == [2, 4, 6]
        assert log == [1, 2, 3]
    assert log == [1, 2, 3, "GeneratorExit", "closed"]

    async def read() -> None:
        async for _ in runtime.stream(CountTo(100, 10), AgentId("doubler", "x")):
            pass

    log.clear()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(read(), 15)
    assert log == [1, "CancelledError", "closed"]


async def test_handlers_of_a_stream_have_a_token_that_the_given_one_cancels(
    runtime: Runtime, log: list[Any]
) -> None:
    token = CancellationToken()
    asyncio.get_running_loop().call_later(15, token.cancel)
    received = []
    with pytest.raises(asyncio.CancelledError):
        async for part in runtime.stream(CountTo(9, 10), ONE, cancellation_token=token):
            received.append(part)  # noqa: PERF401 - the parts before the cancellation are kept
    counter = await runtime.try_get_underlying_agent_instance(ONE, Counter)
    assert (received, now()) == ([1], 15)
    assert [one.is_cancelled() for one in counter.tokens] == [True]
    assert log == [1, "CancelledError", "closed"]


async def test_a_token_that_outlives_a_stream_does_not_keep_it(
    runtime: Runtime, log: list[Any]
) -> None:
    token = CancellationToken()
    assert [part async for part in runtime.stream(CountTo(1), ONE, cancellation_token=token)]
    token.cancel()
    await asyncio.sleep(1)
    counter = await runtime.try_get_underlying_agent_instance(ONE, Counter)
    assert [one.is_cancelled() for one in counter.tokens] == [False]


@pytest.mark.parametrize("reader_pause", [0, 100], ids=["in the generator", "in the reader"])
async def test_a_stream_has_a_deadline(
    runtime: Runtime, log: list[Any], reader_pause: float
) -> None:
    received = []
    with pytest.raises(DeadlineExceededError):
        async for part in runtime.stream(CountTo(9, 10), ONE, timeout=25):
            received.append(part)
            await asyncio.sleep(reader_pause)
    if reader_pause:
        assert (received, log) == ([1], [1, "GeneratorExit", "closed"])
    else:
        assert (received, log) == ([1, 2], [1, 2, "CancelledError", "closed"])
        assert now() == 25
    assert is_idle(runtime)


async def test_a_handler_that_does_not_stream_is_refused_before_it_is_called(
    runtime: Runtime, log: list[Any]
) -> None:
    with pytest.raises(StreamError, match=r"counter/one does not respond to Question with a stre"):
        await runtime.stream(Question("?"), ONE).__anext__()
    assert log == []


async def test_an_agent_that_is_not_routed_is_found_not_to_stream(runtime: Runtime) -> None:
    a = await register(runtime, "a")
    with pytest.raises(StreamError, match=r"Decorate an async generator .* with @stream"):
        await runtime.stream(Question("?"), a()).__anext__()


async def test_an_agent_without_handler_is_found_not_to_stream(
    runtime: Runtime, log: list[Any]
) -> None:
    with pytest.raises(StreamError):
        await runtime.stream(Reply("?"), ONE).__anext__()
    assert runtime.dead_letters[-1].message == Reply("?")


async def test_a_message_that_is_sent_to_a_stream_handler_is_an_error(
    runtime: Runtime, log: list[Any]
) -> None:
    with pytest.raises(StreamError, match=r"counter/one responds to CountTo with a stream: read"):
        await runtime.send_message(CountTo(1), ONE)
    assert log == []


async def test_a_published_message_is_not_for_a_stream_handler(
    runtime: Runtime, log: list[Any]
) -> None:
    await runtime.add_subscription(TypeSubscription("count", "counter"))
    await runtime.publish_message(CountTo(1), TopicId("count", "one"))
    await runtime.stop_when_idle()
    assert log == []
    assert runtime.dead_letters[-1].message == CountTo(1)


async def test_an_unknown_recipient_is_an_error_as_of_sending(runtime: Runtime) -> None:
    with pytest.raises(RecipientNotFoundError):
        await runtime.stream(CountTo(1), AgentId("unknown", "x")).__anext__()
    assert len(runtime.dead_letters) == 1


async def test_a_message_id_is_passed_on_and_is_in_use_once(
    runtime: Runtime, log: list[Any]
) -> None:
    class Named(RoutedAgent):
        @stream
        async def parts(self, message: Question, ctx: MessageContext) -> AsyncIterator[str]:
            yield ctx.message_id

    await Named.register(runtime, "named", lambda: Named("names"))
    named = AgentId("named", "x")
    assert [part async for part in runtime.stream(Question(""), named, message_id="7")] == ["7"]
    runtime.set_agent_options("counter", AgentOptions(concurrency=1))
    running = runtime.stream(CountTo(1), ONE)
    await running.__anext__()
    queued = asyncio.ensure_future(runtime.stream(CountTo(1), ONE, message_id="7").__anext__())
    await asyncio.sleep(1)
    with pytest.raises(ValueError, match="'7' is in use"):
        await runtime.stream(CountTo(1), ONE, message_id="7").__anext__()
    await running.aclose()
    assert await queued == 1


async def test_closing_the_runtime_ends_streams(log: list[Any]) -> None:
    runtime = SingleThreadedAgentRuntime()
    await Counter.register(runtime, "counter", lambda: Counter(log))
    runtime.start()
    parts = runtime.stream(CountTo(9), ONE)
    await parts.__anext__()
    await runtime.close()
    assert log == [1, "GeneratorExit", "closed"]
    with pytest.raises(asyncio.CancelledError):
        await parts.__anext__()


async def test_several_handlers_of_a_type_may_stream_or_not(runtime: Runtime) -> None:
    class Mixed(RoutedAgent):
        @rpc(match=lambda message, ctx: message.text == "once")
        async def once(self, message: Question, ctx: MessageContext) -> Reply:
            return Reply("once")

        @stream(match=lambda message, ctx: message.text == "parts")
        async def parts(self, message: Question, ctx: MessageContext) -> AsyncIterator[int]:
            yield 1

    await Mixed.register(runtime, "mixed", lambda: Mixed("mixed"))
    mixed = AgentId("mixed", "x")
    assert [part async for part in runtime.stream(Question("parts"), mixed)] == [1]
    assert await runtime.send_message(Question("once"), mixed) == Reply("once")
    with pytest.raises(StreamError):
        await runtime.stream(Question("once"), mixed).__anext__()


def test_only_an_async_generator_streams() -> None:
    with pytest.raises(TypeError, match="is not an async generator"):

        class Wrong(RoutedAgent):
            @stream
            async def parts(self, message: Question, ctx: MessageContext) -> Any:
                return None


@pytest.mark.parametrize("decorate", [stream, rpc, message_handler])
async def test_every_decorator_of_sent_messages_takes_a_generator(
    runtime: Runtime, decorate: Any
) -> None:
    class Streams(RoutedAgent):
        async def count(self, message: CountTo, ctx: MessageContext) -> AsyncIterator[int]:
            yield message.number

        count = decorate(count)

    await Streams.register(runtime, "streams", lambda: Streams("streams"))
    assert [part async for part in runtime.stream(CountTo(7), AgentId("streams", "1"))] == [7]


@pytest.mark.parametrize(
    ("fails_after", "parts", "attempts"), [(0, [1, 2], 3), (1, [1], 1), (2, [1, 2], 1)]
)
async def test_a_stream_is_tried_again_until_a_part_was_read(
    runtime: Runtime, fails_after: int, parts: list[int], attempts: int
) -> None:
    calls = []

    class Fails(RoutedAgent):
        @stream
        async def count(self, message: CountTo, ctx: MessageContext) -> AsyncIterator[int]:
            calls.append(message)
            for number in (1, 2, 3):
                if number > fails_after and len(calls) < 3:
                    raise ZeroDivisionError(number)
                if number > 2:
                    return
                yield number

    await Fails.register(runtime, "fails", lambda: Fails("fails"))
    read = []
    retry = RetryPolicy(attempts=3, initial_delay=0.0)
    try:
        async for part in runtime.stream(CountTo(2), AgentId("fails", "1"), retry=retry):
            read.append(part)  # noqa: PERF401 - the parts before an error
    except ZeroDivisionError:
        assert attempts == 1
    assert (read, len(calls)) == (parts, attempts)
