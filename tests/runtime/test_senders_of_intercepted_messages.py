"""Senders of messages that a suspended intervention handler has: they may leave at any time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    CancellationToken,
    DefaultInterventionHandler,
    SingleThreadedAgentRuntime,
)

from .function_agents import Doing, Iterations, echo, register

Pause = Callable[[], Awaitable[Any]]


async def yield_once() -> None:
    await asyncio.sleep(0)


async def yield_thrice() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def await_future() -> None:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, None)
    await future


async def yield_and_await() -> None:
    await yield_once()
    await await_future()
    await yield_once()


PAUSES = [yield_once, yield_thrice, await_future, yield_and_await]


class Pausing(DefaultInterventionHandler):
    """Pauses with each message and each response, and marks them."""

    def __init__(self, pause: Pause) -> None:
        self._pause = pause

    async def on_send(self, message: Any, **how: Any) -> Any:
        await self._pause()
        return message + "!"

    async def on_response(self, message: Any, **how: Any) -> Any:
        await self._pause()
        return message + "?"


class Site:
    """A started runtime with one agent, which records its messages."""

    def __init__(self, pause: Pause, *, task_mode: bool | None = None) -> None:
        self.runtime = SingleThreadedAgentRuntime(
            intervention_handlers=[Pausing(pause)], task_mode=task_mode
        )
        self.received: list[Any] = []

    async def start(self) -> Site:
        async def receive(agent: Doing, message: Any, ctx: Any) -> Any:
            self.received.append(message)
            return message

        self.recipient: AgentId = (await register(self.runtime, "one", receive))()
        self.runtime.start()
        return self

    def send(self, message: str, **options: Any) -> Any:
        return self.runtime.send_message(message, self.recipient, **options)

    async def check(self) -> None:
        """The first message was handled once, and the runtime takes more."""
        assert await self.send("y") == "y!?"
        await self.runtime.stop_when_idle()
        assert self.received == ["x!", "y!"]
        await self.runtime.close()


async def iterations(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("count", range(6))
@pytest.mark.parametrize("pause", PAUSES)
async def test_a_sender_may_be_cancelled_at_any_time(pause: Pause, count: int) -> None:
    site = await Site(pause).start()
    sent = asyncio.create_task(site.send("x"))
    await iterations(count + 1)
    if sent.cancel("enough"):
        with pytest.raises(asyncio.CancelledError) as caught:
            await sent
        # Before 3.11 the error of the task is the context of the one that awaiting it raises.
        error = caught.value if sys.version_info >= (3, 11) else caught.value.__context__
        assert error is not None
        assert error.args == ("enough",)
    else:
        assert await sent == "x!?"
    await site.check()


@pytest.mark.parametrize("count", range(6))
@pytest.mark.parametrize("pause", PAUSES)
async def test_a_token_may_be_cancelled_at_any_time(pause: Pause, count: int) -> None:
    site = await Site(pause).start()
    token = CancellationToken()
    sent = asyncio.create_task(site.send("x", cancellation_token=token))
    await iterations(count + 1)
    token.cancel()
    if count == 0:
        with pytest.raises(asyncio.CancelledError):
            await sent
    else:
        with suppress(asyncio.CancelledError):  # unless the response was there before
            assert await sent == "x!?"
    await site.check()


@pytest.mark.parametrize("leave", ["close", "drop"])
@pytest.mark.parametrize("count", range(1, 4))
@pytest.mark.parametrize("pause", PAUSES)
async def test_an_awaitable_that_is_stepped_by_hand_may_be_left(
    pause: Pause, count: int, leave: str
) -> None:
    site = await Site(pause).start()
    steps = site.send("x").__await__()
    for _ in range(count):
        if next(steps) is not None:
            break  # a future, which is not to be stepped before it is done
        await asyncio.sleep(0)
    if leave == "close":
        steps.close()
    del steps
    await iterations(10)
    await site.check()


async def test_a_sender_that_waits_again_gets_the_response() -> None:
    """A cancellation that is caught ends the send, not its sender."""
    site = await Site(yield_thrice).start()

    async def stubborn() -> Any:
        try:
            return await site.send("x")
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            return await site.send("z")

    sent = asyncio.create_task(stubborn())
    await iterations(2)
    sent.cancel()
    assert await sent == "z!?"
    site.received.remove("z!")
    await site.check()


async def test_a_second_awaiter_is_refused() -> None:
    site = await Site(yield_once).start()
    send = site.send("x")

    async def wait() -> Any:
        return await send

    outcomes = await asyncio.gather(wait(), wait(), return_exceptions=True)
    assert any(isinstance(outcome, RuntimeError) for outcome in outcomes), outcomes
    await site.check()


@pytest.mark.parametrize("pause", PAUSES)
async def test_a_time_limit_ends_a_sender(pause: Pause) -> None:
    site = await Site(pause).start()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(site.send("x"), 0)
    await iterations(10)
    # A send that has not begun when its time is over is not accepted.
    if not site.received:
        assert await site.send("x") == "x!?"
    await site.check()


async def test_a_sender_goes_on_in_the_iteration_in_which_its_response_is_there() -> None:
    site = await Site(yield_once, task_mode=False).start()
    await site.send("x")  # the first message builds the agent
    counted = Iterations()
    await site.send("y")
    assert counted.count == 2  # one for each method
    counted.stop()
    await site.runtime.close()


async def test_agents_and_gathered_sends_wait_for_it_too() -> None:
    runtime = SingleThreadedAgentRuntime(intervention_handlers=[Pausing(yield_once)])

    async def ask(agent: Doing, message: Any, ctx: Any) -> Any:
        return await agent.send_message(message, AgentId("echo", "default"))

    asking = (await register(runtime, "ask", ask))()
    await register(runtime, "echo", echo)
    runtime.start()
    responses = await asyncio.gather(*(runtime.send_message(f"{n}", asking) for n in range(10)))
    assert responses == [f"{n}!!??" for n in range(10)]
    await runtime.stop_when_idle()
    await runtime.close()
