"""Circuit breakers: an agent type that keeps failing gets no messages for a while."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    CircuitBreaker,
    DeadLetterCause,
    RetryPolicy,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import CantHandleException, CircuitOpenError

from .function_agents import register, until_idle
from .stepped_time import SteppedTime

Runtime = SingleThreadedAgentRuntime
A = AgentId("a", "default")
T = TopicId("t", "default")


class Service:
    """A handler that raises while it has an error."""

    def __init__(self) -> None:
        self.error: BaseException | None = OSError("down")
        self.calls = 0
        self.gate: asyncio.Event | None = None

    async def __call__(self, agent: Any, message: Any, ctx: Any) -> Any:
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return message


async def service(runtime: Runtime, retry: RetryPolicy | None = None, **breaker: Any) -> Service:
    act = Service()
    await register(runtime, "a", act)
    options = {"failures": 2, "window": 60.0, "reset_after": 30.0, **breaker}
    runtime.set_agent_options(
        "a", AgentOptions(retry=retry, circuit_breaker=CircuitBreaker(**options))
    )
    await runtime.add_subscription(TypeSubscription("t", "a"))
    return act


async def fail(runtime: Runtime, times: int = 1, key: str = "default") -> None:
    for _ in range(times):
        with pytest.raises(OSError, match="down"):
            await runtime.send_message("x", AgentId("a", key))


def state(runtime: Runtime) -> str:
    return runtime.circuit_breaker_state("a").state


async def test_it_opens_after_the_failures_of_all_agents_of_the_type(
    runtime: Runtime, clock: SteppedTime
) -> None:
    act = await service(runtime)
    await fail(runtime, key="1")
    assert state(runtime) == "closed"
    await fail(runtime, key="2")
    assert state(runtime) == "open"
    await clock.advance(10)
    with pytest.raises(CircuitOpenError) as caught:
        await runtime.send_message("x", AgentId("a", "3"))
    error = caught.value
    assert str(error) == (
        'circuit breaker of agent type "a" is open after 2 failed call(s); message str to a/3 was '
        "rejected. It may be tried in 20.000 s"
    )
    assert (error.agent_type, error.failures, error.retry_after) == ("a", 2, 20.0)
    assert act.calls == 2
    (letter,) = runtime.dead_letters
    assert (letter.cause, letter.attempts) == (DeadLetterCause.CIRCUIT_OPEN, 0)


async def test_failures_outside_the_window_do_not_count(
    runtime: Runtime, clock: SteppedTime
) -> None:
    await service(runtime)
    await fail(runtime)
    await clock.advance(61)
    await fail(runtime)
    assert runtime.circuit_breaker_state("a").failures == 1
    assert state(runtime) == "closed"


async def test_it_closes_again_when_a_trial_succeeds(runtime: Runtime, clock: SteppedTime) -> None:
    act = await service(runtime)
    await fail(runtime, 2)
    await clock.advance(30)
    assert state(runtime) == "half-open"
    act.error = None
    assert await runtime.send_message("x", A) == "x"
    assert state(runtime) == "closed"


async def test_it_opens_again_when_a_trial_fails(runtime: Runtime, clock: SteppedTime) -> None:
    await service(runtime)
    await fail(runtime, 2)
    await clock.advance(30)
    await fail(runtime)
    assert runtime.circuit_breaker_state("a").retry_after == 30.0
    with pytest.raises(CircuitOpenError):
        await runtime.send_message("x", A)


async def test_only_so_many_calls_are_tried_at_once(runtime: Runtime, clock: SteppedTime) -> None:
    act = await service(runtime)
    await fail(runtime, 2)
    await clock.advance(30)
    act.gate, act.error = asyncio.Event(), None
    trial = asyncio.ensure_future(runtime.send_message("x", A))
    await clock.settle()
    with pytest.raises(CircuitOpenError, match="when the calls being tried end"):
        await runtime.send_message("y", A)
    act.gate.set()
    assert await clock.run(trial) == "x"
    assert await clock.run(runtime.send_message("z", A)) == "z"


async def test_a_cancelled_trial_leaves_its_place_to_another(
    runtime: Runtime, clock: SteppedTime
) -> None:
    act = await service(runtime)
    await fail(runtime, 2)
    await clock.advance(30)
    act.error = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        await runtime.send_message("x", A)
    assert state(runtime) == "half-open"
    act.error = None
    assert await runtime.send_message("x", A) == "x"


@pytest.mark.parametrize("error", [CantHandleException("x"), KeyError("x")])
async def test_other_errors_do_not_count(
    runtime: Runtime, clock: SteppedTime, error: Exception
) -> None:
    act = await service(runtime, failure_on=(OSError, CantHandleException))
    act.error = error
    for _ in range(3):
        with pytest.raises(type(error)):
            await runtime.send_message("x", A)
    assert runtime.circuit_breaker_state("a").failures == 0


async def test_a_published_message_that_is_rejected_is_a_dead_letter_and_no_unhandled_error(
    clock: SteppedTime, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = SingleThreadedAgentRuntime(ignore_unhandled_exceptions=False)
    runtime.start()
    act = await service(runtime)
    await fail(runtime, 2)
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            await runtime.publish_message(number, T)
        await runtime.stop_when_idle()
    assert act.calls == 2
    assert [(one.message, one.cause, one.topic_id, one.recipient) for one in runtime.dead_letters][
        -3:
    ] == [(number, DeadLetterCause.CIRCUIT_OPEN, T, A) for number in range(3)]
    assert len(caplog.records) == 1
    assert "it is a dead letter" in caplog.text
    await runtime.close()


async def test_each_attempt_counts_and_none_follows_once_it_is_open(
    runtime: Runtime, clock: SteppedTime
) -> None:
    retry = RetryPolicy(attempts=5, initial_delay=1.0, jitter="none")
    act = await service(runtime, retry)
    with pytest.raises(OSError, match="down"):
        await clock.run(runtime.send_message("x", A))
    assert (act.calls, clock.passed, state(runtime)) == (2, 1.0, "open")
    (letter,) = runtime.dead_letters
    assert (letter.cause, letter.attempts) == (DeadLetterCause.HANDLER_FAILED, 2)


async def test_an_attempt_is_rejected_if_it_has_opened_meanwhile(
    runtime: Runtime, clock: SteppedTime
) -> None:
    retry = RetryPolicy(attempts=5, initial_delay=10.0, jitter="none")
    act = await service(runtime, retry)
    sending = [asyncio.ensure_future(runtime.send_message(one, A)) for one in "x"]
    await clock.settle()
    sending.append(asyncio.ensure_future(runtime.send_message("y", A)))
    await clock.settle()
    with pytest.raises(OSError, match="down"):
        await clock.run(sending[1])
    with pytest.raises(CircuitOpenError) as caught:
        await clock.run(sending[0])
    assert caught.value.__notes__ == [  # type: ignore[attr-defined]
        "earlier attempts: attempt 1 of 5 failed with OSError: down"
    ]
    assert act.calls == 2
    assert [(one.cause, one.attempts) for one in runtime.dead_letters] == [
        (DeadLetterCause.HANDLER_FAILED, 1),
        (DeadLetterCause.CIRCUIT_OPEN, 1),
    ]


async def test_a_failure_of_another_circuit_breaker_is_a_failure_of_the_handler(
    clock: SteppedTime, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = SingleThreadedAgentRuntime(ignore_unhandled_exceptions=False)
    runtime.start()
    await service(runtime)
    await fail(runtime, 2)

    async def call(agent: Any, message: Any, ctx: Any) -> Any:
        return await agent.send_message(message, A)

    await register(runtime, "b", call)
    await runtime.add_subscription(TypeSubscription("u", "b"))
    await runtime.publish_message("x", TopicId("u", "default"))
    with pytest.raises(CircuitOpenError):
        await runtime.stop_when_idle()
    assert runtime.dead_letters[-1].cause is DeadLetterCause.HANDLER_FAILED
    await runtime.close()


async def test_new_options_start_with_a_closed_one_and_equal_ones_keep_the_state(
    runtime: Runtime, clock: SteppedTime
) -> None:
    await service(runtime)
    await fail(runtime, 2)
    breaker = CircuitBreaker(failures=2, window=60.0, reset_after=30.0)
    runtime.set_agent_options("a", AgentOptions(concurrency=1, circuit_breaker=breaker))
    assert state(runtime) == "open"
    runtime.set_agent_options("a", AgentOptions(circuit_breaker=CircuitBreaker(failures=7)))
    assert state(runtime) == "closed"


async def test_a_type_without_one_has_no_state(runtime: Runtime) -> None:
    with pytest.raises(LookupError, match='agent type "b" has no circuit breaker: give it one'):
        runtime.circuit_breaker_state("b")


async def test_published_messages_are_handled_again_once_it_is_closed(
    runtime: Runtime, clock: SteppedTime
) -> None:
    act = await service(runtime)
    await fail(runtime, 2)
    act.error = None
    await clock.advance(30)
    await runtime.publish_message("x", T)
    await until_idle(runtime)
    assert (act.calls, state(runtime)) == (3, "closed")
