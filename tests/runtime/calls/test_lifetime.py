"""The lifetime of a runtime: context manager, draining, signals."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from ferrogen import MessageContext, SingleThreadedAgentRuntime, TopicId, TypeSubscription
from ferrogen.exceptions import RuntimeStoppedError, SignalsNotSupportedError

from ..function_agents import Doing, boom, is_idle, is_started, register
from .clock import now

Runtime = SingleThreadedAgentRuntime
NEWS = TopicId("news", "one")


class Worker(Doing):
    """An agent whose handler takes ten seconds, and which records what happens to it."""

    def __init__(self, log: list[str]) -> None:
        async def work(agent: Doing, message: Any, ctx: MessageContext) -> str:
            log.append("began")
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                log.append("cancelled")
                raise
            log.append("ended")
            return "done"

        super().__init__(work)
        self.log = log

    async def close(self) -> None:
        self.log.append("closed")


async def subscribed(runtime: Runtime) -> list[str]:
    """Register a worker that is subscribed to the news; return its record."""
    log: list[str] = []
    await Worker.register(runtime, "worker", lambda: Worker(log))
    await runtime.add_subscription(TypeSubscription("news", "worker"))
    return log


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    """A runtime that is not started, and is closed at the end."""
    runtime = SingleThreadedAgentRuntime()
    yield runtime
    await runtime.close()


# As a context manager.


async def test_the_block_starts_the_runtime_and_its_end_drains_and_closes_it(
    runtime: Runtime,
) -> None:
    log = await subscribed(runtime)
    async with runtime as entered:
        assert entered is runtime
        assert is_started(runtime)
        await runtime.publish_message("x", NEWS)
    assert log == ["began", "ended", "closed"]
    assert now() == 10
    with pytest.raises(RuntimeStoppedError, match="closed"):
        await runtime.publish_message("x", NEWS)


async def test_an_exception_closes_the_runtime_at_once(runtime: Runtime) -> None:
    log = await subscribed(runtime)
    with pytest.raises(ZeroDivisionError):
        async with runtime:
            await runtime.publish_message("x", NEWS)
            await asyncio.sleep(1)
            raise ZeroDivisionError
    assert log == ["began", "cancelled", "closed"]
    assert now() == 1


async def test_a_cancellation_closes_the_runtime_at_once(runtime: Runtime) -> None:
    log = await subscribed(runtime)

    async def serve() -> None:
        async with runtime:
            await runtime.publish_message("x", NEWS)
            await asyncio.Event().wait()

    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(serve(), 2)
    assert log == ["began", "cancelled", "closed"]


async def test_a_cancellation_while_the_block_ends_closes_the_runtime(runtime: Runtime) -> None:
    log = await subscribed(runtime)

    async def serve() -> None:
        async with runtime:
            await runtime.publish_message("x", NEWS)

    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(serve(), 2)
    assert log == ["began", "cancelled", "closed"]


async def test_a_runtime_that_was_stopped_in_the_block_is_only_closed(runtime: Runtime) -> None:
    log = await subscribed(runtime)
    async with runtime:
        await runtime.publish_message("x", NEWS)
        await runtime.stop_when_idle()
        assert log == ["began", "ended"]
    assert log == ["began", "ended", "closed"]


async def test_a_runtime_that_was_closed_in_the_block_is_closed_once(runtime: Runtime) -> None:
    log = await subscribed(runtime)
    async with runtime:
        await runtime.publish_message("x", NEWS)
        await runtime.stop_when_idle()
        await runtime.close()
    assert log == ["began", "ended", "closed"]


async def test_a_started_runtime_is_not_entered(runtime: Runtime) -> None:
    runtime.start()
    with pytest.raises(RuntimeError, match="already started"):
        async with runtime:
            pass
    assert is_started(runtime)


async def test_a_runtime_can_be_entered_again(runtime: Runtime) -> None:
    log = await subscribed(runtime)
    for _ in range(2):
        async with runtime:
            await runtime.publish_message("x", NEWS)
    assert log == ["began", "ended", "closed"] * 2


async def test_the_end_of_the_block_raises_the_error_that_halted_the_runtime() -> None:
    runtime = SingleThreadedAgentRuntime(ignore_unhandled_exceptions=False)
    await register(runtime, "a", boom)
    await runtime.add_subscription(TypeSubscription("news", "a"))
    with pytest.raises(KeyError):
        async with runtime:
            await runtime.publish_message("x", NEWS)
    assert not is_started(runtime)


async def test_an_exception_is_not_hidden_by_an_error_of_closing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Doing):
        async def close(self) -> None:
            raise KeyError("closing")

    runtime = SingleThreadedAgentRuntime()
    await Broken.register(runtime, "broken", lambda: Broken(boom))
    with pytest.raises(ZeroDivisionError):
        async with runtime:
            await runtime.get("broken", lazy=False)
            raise ZeroDivisionError
    assert "closing the runtime after an exception failed" in caplog.text
    with pytest.raises(KeyError, match="closing"):
        async with runtime:
            pass


# Draining.


async def test_draining_waits_for_what_was_accepted(runtime: Runtime) -> None:
    log = await subscribed(runtime)
    runtime.start()
    await runtime.publish_message("x", NEWS)
    await runtime.stop(drain=True)
    assert log == ["began", "ended"]
    assert now() == 10


async def test_draining_ends_at_its_timeout(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    log = await subscribed(runtime)
    runtime.start()
    await runtime.publish_message("x", NEWS)
    with caplog.at_level(logging.WARNING):
        await runtime.stop(drain=True, timeout=4)
    assert now() == 4
    assert not is_started(runtime)
    assert "after 4 seconds, 1 message(s) were not settled, of which 0 were queued" in caplog.text
    await asyncio.sleep(10)
    assert log == ["began", "ended"]  # as after stop(): a running handler continues


async def test_draining_in_time_logs_nothing(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    await subscribed(runtime)
    runtime.start()
    with caplog.at_level(logging.WARNING):
        await runtime.publish_message("x", NEWS)
        await runtime.stop(drain=True, timeout=11)
    assert now() == 10
    assert caplog.text == ""


async def test_stopping_without_draining_is_as_before(runtime: Runtime) -> None:
    log = await subscribed(runtime)
    runtime.start()
    await runtime.publish_message("x", NEWS)
    await asyncio.sleep(1)
    await runtime.stop()
    assert now() == 1
    assert not is_started(runtime)
    await asyncio.sleep(10)
    assert log == ["began", "ended"]


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
async def test_a_timeout_that_is_no_time_is_refused(runtime: Runtime, timeout: float) -> None:
    runtime.start()
    with pytest.raises(ValueError, match="timeout must be"):
        await runtime.stop(drain=True, timeout=timeout)
    assert is_started(runtime)


async def test_a_timeout_without_draining_is_refused(runtime: Runtime) -> None:
    runtime.start()
    with pytest.raises(ValueError, match="drain=True"):
        await runtime.stop(timeout=1)


async def test_a_handler_cannot_drain_its_runtime(runtime: Runtime) -> None:
    async def drain(agent: Doing, message: Any, ctx: MessageContext) -> None:
        await runtime.stop(drain=True)

    a = await register(runtime, "a", drain)
    runtime.start()
    with pytest.raises(RuntimeError, match=r"stop\(drain=True\) inside a handler"):
        await runtime.send_message("x", a())


# Signals.


@pytest.fixture
def python_handler() -> Iterator[Callable[..., None]]:
    """A handler for SIGTERM, installed by `signal.signal`."""

    def handler(*arguments: object) -> None:
        raise AssertionError("the handler of the test was called")

    before = signal.signal(signal.SIGTERM, handler)
    yield handler
    signal.signal(signal.SIGTERM, before)


def kill_after(seconds: float, number: signal.Signals = signal.SIGTERM) -> None:
    asyncio.get_running_loop().call_later(seconds, os.kill, os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_drains_and_closes(runtime: Runtime, number: signal.Signals) -> None:
    log = await subscribed(runtime)
    await runtime.publish_message("x", NEWS)  # queued until the runtime is started
    kill_after(3, number)
    assert await runtime.run_until_signal() is number
    assert log == ["began", "ended", "closed"]
    assert now() == 10


async def test_the_second_signal_closes_at_once(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    log = await subscribed(runtime)
    await runtime.publish_message("x", NEWS)
    kill_after(3, signal.SIGTERM)
    kill_after(5, signal.SIGINT)
    assert await runtime.run_until_signal() is signal.SIGTERM
    assert log == ["began", "cancelled", "closed"]
    assert now() == 5
    assert "ends at once" in caplog.text


async def test_draining_after_a_signal_has_a_timeout(runtime: Runtime) -> None:
    log = await subscribed(runtime)
    await runtime.publish_message("x", NEWS)
    kill_after(3)
    assert await runtime.run_until_signal(timeout=4) is signal.SIGTERM
    assert log == ["began", "cancelled", "closed"]
    assert now() == 7


async def test_a_started_runtime_runs_until_a_signal_and_leaves_its_block(
    runtime: Runtime,
) -> None:
    log = await subscribed(runtime)
    async with runtime:
        await runtime.publish_message("x", NEWS)
        kill_after(3)
        await runtime.run_until_signal()
        assert log == ["began", "ended", "closed"]
    assert log == ["began", "ended", "closed"]


async def test_the_handlers_from_before_are_restored(
    runtime: Runtime, python_handler: Callable[..., None]
) -> None:
    loop = asyncio.get_running_loop()
    received: list[int] = []
    loop.add_signal_handler(signal.SIGUSR1, received.append, 1)
    before = signal.getsignal(signal.SIGINT)
    kill_after(1)
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
    await runtime.run_until_signal(signals=signals)
    assert signal.getsignal(signal.SIGTERM) is python_handler
    assert signal.getsignal(signal.SIGINT) is before
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.sleep(1)
    assert received == [1]
    assert loop.remove_signal_handler(signal.SIGUSR1)


async def test_it_returns_when_the_runtime_is_stopped_otherwise(
    runtime: Runtime, python_handler: Callable[..., None]
) -> None:
    running = asyncio.ensure_future(runtime.run_until_signal())
    await asyncio.sleep(1)
    await runtime.stop()
    assert await running is None
    assert signal.getsignal(signal.SIGTERM) is python_handler


async def test_it_raises_the_error_that_halts_the_runtime() -> None:
    runtime = SingleThreadedAgentRuntime(ignore_unhandled_exceptions=False)
    await register(runtime, "a", boom)
    await runtime.add_subscription(TypeSubscription("news", "a"))
    running = asyncio.ensure_future(runtime.run_until_signal())
    await asyncio.sleep(1)
    await runtime.publish_message("x", NEWS)
    with pytest.raises(KeyError):
        await running
    with pytest.raises(RuntimeStoppedError, match="closed"):
        await runtime.publish_message("x", NEWS)


@pytest.mark.parametrize("signals", [(), (signal.SIGTERM,)], ids=["before", "while draining"])
async def test_cancelling_it_closes_the_runtime(
    runtime: Runtime, python_handler: Callable[..., None], signals: tuple[signal.Signals, ...]
) -> None:
    log = await subscribed(runtime)
    await runtime.publish_message("x", NEWS)
    for number in signals:
        kill_after(1, number)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(runtime.run_until_signal(), 2)
    assert log == ["began", "cancelled", "closed"]
    assert signal.getsignal(signal.SIGTERM) is python_handler
    assert is_idle(runtime)


async def test_a_loop_without_signals_is_a_typed_error(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, python_handler: Callable[..., None]
) -> None:
    def add_signal_handler(number: int, callback: Any, *arguments: Any) -> None:
        if number == signal.SIGUSR2:
            raise NotImplementedError
        original(number, callback, *arguments)

    loop = asyncio.get_running_loop()
    original = loop.add_signal_handler
    monkeypatch.setattr(loop, "add_signal_handler", add_signal_handler)
    with pytest.raises(SignalsNotSupportedError, match="SIGUSR2 cannot be handled here"):
        await runtime.run_until_signal(signals=(signal.SIGTERM, signal.SIGUSR2))
    assert not is_started(runtime)
    assert signal.getsignal(signal.SIGTERM) is python_handler


def test_a_thread_without_signals_is_a_typed_error() -> None:
    errors: list[BaseException] = []

    async def main() -> None:
        runtime = SingleThreadedAgentRuntime()
        try:
            await runtime.run_until_signal()
        except SignalsNotSupportedError as error:
            errors.append(error)

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    thread.join()
    assert "main thread" in str(errors[0])


async def test_a_timeout_of_draining_is_checked_first(runtime: Runtime) -> None:
    with pytest.raises(ValueError, match="timeout must be"):
        await runtime.run_until_signal(timeout=0)
    assert not is_started(runtime)
