"""Supervision: what the failure of an agent does to its runtime."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    CircuitBreaker,
    RetryPolicy,
    SingleThreadedAgentRuntime,
    Supervision,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import CantHandleException, CircuitOpenError, RuntimeStoppedError

from .function_agents import boom, register
from .stepped_time import SteppedTime

Runtime = SingleThreadedAgentRuntime
A = AgentId("a", "default")
T = TopicId("t", "default")
ESCALATE = Supervision(on_failure="escalate")


@pytest.fixture
async def supervised() -> AsyncIterator[Runtime]:
    """A runtime that ignores unhandled errors."""
    runtime = SingleThreadedAgentRuntime()
    runtime.start()
    yield runtime
    await runtime.close()


async def failing(runtime: Runtime, act: Any = boom, **options: Any) -> None:
    await register(runtime, "a", act)
    await runtime.add_subscription(TypeSubscription("t", "a"))
    runtime.set_agent_options("a", AgentOptions(**{"supervision": ESCALATE, **options}))


async def test_a_failed_published_message_halts_the_runtime(supervised: Runtime) -> None:
    await failing(supervised)
    await supervised.publish_message("x", T)
    with pytest.raises(KeyError):
        await supervised.stop_when_idle()
    assert [one.message for one in supervised.dead_letters] == ["x"]


async def test_a_failed_sent_message_halts_the_runtime_too(supervised: Runtime) -> None:
    await failing(supervised)
    with pytest.raises(KeyError):
        await supervised.send_message("x", A)
    with pytest.raises(RuntimeStoppedError, match="has halted"):
        await supervised.send_message("y", A)
    with pytest.raises(KeyError):
        await supervised.stop()


async def test_what_is_queued_when_the_runtime_halts_is_settled(supervised: Runtime) -> None:
    async def act(agent: Any, message: Any, ctx: Any) -> None:
        await asyncio.sleep(0)
        raise KeyError(message)

    await failing(supervised, act, concurrency=1)
    results = await asyncio.gather(
        *(supervised.send_message(number, A) for number in range(9)), return_exceptions=True
    )
    # Handlers that are due are still called.
    assert {type(one) for one in results[:2]} == {KeyError}
    assert {type(one) for one in results[2:]} == {RuntimeStoppedError}
    with pytest.raises(KeyError):
        await supervised.stop()


async def test_a_failed_construction_halts_the_runtime(supervised: Runtime) -> None:
    def make() -> Any:
        raise OSError("no disk")

    await supervised.register_factory("a", make)
    supervised.set_agent_options("a", AgentOptions(supervision=ESCALATE))
    with pytest.raises(OSError, match="no disk"):
        await supervised.send_message("x", A)
    with pytest.raises(OSError, match="no disk"):
        await supervised.stop_when_idle()


async def test_the_runtime_can_be_started_again(supervised: Runtime) -> None:
    await failing(supervised)
    await supervised.publish_message("x", T)
    with pytest.raises(KeyError):
        await supervised.stop_when_idle()
    supervised.start()
    supervised.set_agent_options("a", AgentOptions(supervision=Supervision()))
    with pytest.raises(KeyError):
        await supervised.send_message("y", A)
    await supervised.stop_when_idle()


async def test_only_the_last_attempt_is_a_failure(supervised: Runtime, clock: SteppedTime) -> None:
    retry = RetryPolicy(attempts=2, initial_delay=1.0, jitter="none")
    calls: list[Any] = []

    async def act(agent: Any, message: Any, ctx: Any) -> None:
        calls.append(message)
        if len(calls) != 2:
            raise KeyError(message)

    await failing(supervised, act, retry=retry)
    await supervised.publish_message("x", T)
    await clock.settle()
    await clock.advance(1)
    assert calls == ["x", "x"]
    await supervised.publish_message("y", T)
    with pytest.raises(KeyError):
        await clock.run(supervised.stop_when_idle())
    assert calls == ["x", "x", "y", "y"]


@pytest.mark.parametrize("error", [CantHandleException("x"), asyncio.CancelledError("x")])
async def test_refusals_and_cancellation_are_no_failures(
    supervised: Runtime, error: BaseException
) -> None:
    async def act(agent: Any, message: Any, ctx: Any) -> None:
        raise error

    await failing(supervised, act)
    with pytest.raises(type(error)):
        await supervised.send_message("x", A)
    await supervised.publish_message("x", T)
    await supervised.stop_when_idle()


async def test_messages_that_a_circuit_breaker_rejects_are_no_failures(
    supervised: Runtime,
) -> None:
    options: dict[str, Any] = {"circuit_breaker": CircuitBreaker(failures=1)}
    await failing(supervised, **options, supervision=Supervision())
    with pytest.raises(KeyError):
        await supervised.send_message("x", A)
    supervised.set_agent_options("a", AgentOptions(**options, supervision=ESCALATE))
    with pytest.raises(CircuitOpenError):
        await supervised.send_message("x", A)
    await supervised.publish_message("x", T)
    await supervised.stop_when_idle()


def test_a_wrong_option_is_named_with_what_is_allowed() -> None:
    wrong: Any = "retry"
    with pytest.raises(ValueError, match='"restart", "stop" or "escalate"; got \'retry\''):
        Supervision(on_failure=wrong)
    with pytest.raises(ValueError, match="supervision must be a Supervision, or None; got"):
        AgentOptions(supervision=wrong)


@pytest.mark.parametrize("on_failure", ["resume", "stop", "escalate"])
@pytest.mark.parametrize("option", [{"max_restarts": 1}, {"within": 1.0}, {"keep_state": True}])
def test_options_of_restarts_contradict_other_consequences(
    on_failure: Any, option: dict[str, Any]
) -> None:
    ((name, value),) = option.items()
    with pytest.raises(ValueError, match=f'{name} needs on_failure="restart"') as caught:
        Supervision(on_failure=on_failure, **option)
    assert str(caught.value).endswith(f"got {name}={value!r}")
