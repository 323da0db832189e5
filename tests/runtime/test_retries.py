"""Retries: a handler that has failed is called again, as its policy says."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    CancellationToken,
    DeadLetterCause,
    MessageContext,
    MessageHandlerContext,
    RetryPolicy,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
    agent_options,
    event,
    rpc,
)
from ferrogen.exceptions import AttemptTimeoutError, CantHandleException

from .failing_handlers import Note
from .function_agents import Doing, Gate, echo, register, until_idle
from .stepped_time import SteppedTime

Runtime = SingleThreadedAgentRuntime
STEADY = RetryPolicy(attempts=3, initial_delay=1.0, multiplier=2.0, jitter="none")


def steady(**changes: Any) -> AgentOptions:
    return AgentOptions(
        retry=RetryPolicy(**{"attempts": 3, "initial_delay": 1.0, "jitter": "none", **changes})
    )


class Failing:
    """A handler that raises given errors, one in each call, and then responds."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self, agent: Any, message: Any, ctx: MessageContext) -> Any:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return f"{message} in call {self.calls}"


async def failing(runtime: Runtime, options: AgentOptions, *errors: BaseException) -> Failing:
    """Register agent type "a", subscribed to topic type "t"."""
    act = Failing(*errors)
    await register(runtime, "a", act)
    runtime.set_agent_options("a", options)
    await runtime.add_subscription(TypeSubscription("t", "a"))
    return act


A = AgentId("a", "default")
T = TopicId("t", "default")


def errors(number: int) -> list[Exception]:
    return [OSError(f"failure {one}") for one in range(1, number + 1)]


async def test_a_message_is_handled_by_a_later_attempt(
    runtime: Runtime, clock: SteppedTime
) -> None:
    act = await failing(runtime, steady(), *errors(2))
    assert await clock.run(runtime.send_message("x", A)) == "x in call 3"
    assert (act.calls, clock.passed) == (3, 3.0)
    assert list(runtime.dead_letters) == []


async def test_the_sender_gets_the_last_error_with_a_note_about_the_others(
    runtime: Runtime, clock: SteppedTime
) -> None:
    act = await failing(runtime, steady(), *errors(4))
    with pytest.raises(OSError, match="failure 3") as caught:
        await clock.run(runtime.send_message("x", A))
    assert act.calls == 3
    assert caught.value.__notes__ == [  # type: ignore[attr-defined]
        "earlier attempts: attempt 1 of 3 failed with OSError: failure 1; "
        "attempt 2 of 3 failed with OSError: failure 2"
    ]


async def test_an_error_that_is_raised_again_and_again_has_one_note(
    runtime: Runtime, clock: SteppedTime
) -> None:
    error = OSError("the same")
    await failing(runtime, steady(attempts=2), *[error] * 4)
    for _ in range(2):
        with pytest.raises(OSError, match="the same"):
            await clock.run(runtime.send_message("x", A))
    assert len(error.__notes__) == 1  # type: ignore[attr-defined]


async def test_a_sent_message_that_fails_in_all_attempts_is_a_dead_letter(
    runtime: Runtime, clock: SteppedTime
) -> None:
    await failing(runtime, steady(), *errors(3))
    sender = AgentId("sender", "1")
    with pytest.raises(OSError, match="failure 3"):
        await clock.run(runtime.send_message("x", A, sender=sender, message_id="m1"))
    (letter,) = runtime.dead_letters
    assert (letter.message, letter.sender, letter.recipient) == ("x", sender, A)
    assert (letter.topic_id, letter.message_id, letter.attempts) == (None, "m1", 3)
    assert letter.cause is DeadLetterCause.HANDLER_FAILED
    assert str(letter.reason) == "failure 3"


async def test_a_published_message_is_reported_once_after_the_last_attempt(
    runtime: Runtime, clock: SteppedTime, caplog: pytest.LogCaptureFixture
) -> None:
    act = await failing(runtime, steady(), *errors(3))
    with caplog.at_level(logging.ERROR):
        await runtime.publish_message("x", T)
        await clock.run(until_idle(runtime))
    assert act.calls == 3
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR] == [
        "Error processing publish message for a/default"
    ]
    (letter,) = runtime.dead_letters
    assert (letter.message, letter.topic_id, letter.recipient, letter.attempts) == ("x", T, A, 3)


async def test_a_published_message_that_a_later_attempt_handles_is_not_reported(
    clock: SteppedTime,
) -> None:
    runtime = SingleThreadedAgentRuntime(ignore_unhandled_exceptions=False)
    runtime.start()
    act = await failing(runtime, steady(), *errors(2))
    await runtime.publish_message("x", T)
    await clock.run(runtime.stop_when_idle())
    assert act.calls == 3
    assert list(runtime.dead_letters) == []
    await runtime.close()


async def test_a_published_message_halts_the_runtime_only_after_the_last_attempt(
    clock: SteppedTime,
) -> None:
    runtime = SingleThreadedAgentRuntime(ignore_unhandled_exceptions=False)
    runtime.start()
    act = await failing(runtime, steady(), *errors(3))
    await runtime.publish_message("x", T)
    with pytest.raises(OSError, match="failure 3"):
        await clock.run(runtime.stop_when_idle())
    assert (act.calls, clock.passed) == (3, 3.0)
    await runtime.close()


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError("x"), CantHandleException("x"), KeyError("x")]
)
async def test_these_errors_are_not_retried(
    runtime: Runtime, clock: SteppedTime, error: BaseException
) -> None:
    act = await failing(runtime, steady(retry_on=(OSError, CantHandleException)), error)
    with pytest.raises(type(error)):
        await clock.run(runtime.send_message("x", A))
    assert (act.calls, clock.passed) == (1, 0.0)


async def test_subclasses_of_the_errors_are_retried(runtime: Runtime, clock: SteppedTime) -> None:
    act = await failing(runtime, steady(retry_on=(OSError,)), ConnectionError("x"))
    assert await clock.run(runtime.send_message("x", A)) == "x in call 2"
    assert act.calls == 2


async def test_delays_grow_up_to_the_highest(runtime: Runtime, clock: SteppedTime) -> None:
    options = steady(attempts=6, initial_delay=1.0, multiplier=3.0, max_delay=5.0)
    await failing(runtime, options, *errors(5))
    await clock.run(runtime.send_message("x", A))
    assert clock.passed == 1 + 3 + 5 + 5 + 5


async def test_the_handler_knows_which_attempt_it_is(runtime: Runtime, clock: SteppedTime) -> None:
    seen: list[int] = []

    async def act(agent: Any, message: Any, ctx: Any) -> None:
        await asyncio.sleep(0)
        seen.append(MessageHandlerContext.attempt())
        if len(seen) < 3:
            raise OSError

    await register(runtime, "a", act)
    runtime.set_agent_options("a", steady())
    await clock.run(runtime.send_message("x", A))
    await clock.run(runtime.send_message("x", A))
    assert seen == [1, 2, 3, 1]


async def test_an_attempt_that_takes_too_long_is_cancelled_and_retried(
    runtime: Runtime, clock: SteppedTime
) -> None:
    ends: list[str] = []

    async def act(agent: Any, message: Any, ctx: Any) -> str:
        try:
            await asyncio.sleep(10 if not ends else 1)
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise
        return "in time"

    await register(runtime, "a", act)
    runtime.set_agent_options("a", steady(attempt_timeout=5.0, retry_on=(KeyError,)))
    assert await clock.run(runtime.send_message("x", A)) == "in time"
    assert (ends, clock.passed) == (["cancelled"], 5 + 1 + 1)


async def test_the_last_attempt_that_takes_too_long_is_a_typed_error(
    runtime: Runtime, clock: SteppedTime
) -> None:
    await register(runtime, "a", Gate())
    runtime.set_agent_options("a", steady(attempts=2, attempt_timeout=5.0))
    text = r"attempt 2 of 2 of a/default to handle str took longer than 5.0 s"
    with pytest.raises(AttemptTimeoutError, match=text) as caught:
        await clock.run(runtime.send_message("x", A))
    assert isinstance(caught.value, TimeoutError)
    if sys.version_info >= (3, 11):
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0


async def test_cancelling_the_handler_task_during_an_attempt_with_a_limit_cancels_it(
    runtime: Runtime, clock: SteppedTime
) -> None:
    tasks: list[asyncio.Task[Any] | None] = []

    async def act(agent: Any, message: Any, ctx: Any) -> None:
        tasks.append(asyncio.current_task())
        await asyncio.Event().wait()

    await register(runtime, "a", act)
    runtime.set_agent_options("a", steady(attempt_timeout=5.0))
    sending = asyncio.ensure_future(runtime.send_message("x", A))
    await clock.settle()
    (task,) = tasks
    assert task is not None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await clock.run(sending)
    assert (len(tasks), clock.passed) == (1, 0.0)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tasks count their cancellations since 3.11")
async def test_a_handler_that_is_cancelled_when_its_limit_passes_is_not_retried(
    runtime: Runtime, clock: SteppedTime
) -> None:
    calls: list[Any] = []

    async def act(agent: Any, message: Any, ctx: Any) -> None:
        calls.append(message)
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_later(5.0, task.cancel)
        await asyncio.Event().wait()

    await register(runtime, "a", act)
    runtime.set_agent_options("a", steady(attempt_timeout=5.0))
    with pytest.raises(asyncio.CancelledError):
        await clock.run(runtime.send_message("x", A))
    assert calls == ["x"]


async def test_cancelling_the_message_ends_the_wait_for_the_next_attempt(
    runtime: Runtime, clock: SteppedTime
) -> None:
    act = await failing(runtime, steady(), *errors(3))
    token = CancellationToken()
    sending = asyncio.ensure_future(runtime.send_message("x", A, cancellation_token=token))
    await clock.settle()
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await clock.run(sending)
    await clock.run(until_idle(runtime))
    assert (act.calls, clock.passed) == (1, 0.0)


async def test_an_agent_with_concurrency_1_handles_nothing_else_between_attempts(
    runtime: Runtime, clock: SteppedTime
) -> None:
    seen: list[str] = []

    async def act(agent: Any, message: str, ctx: Any) -> None:
        seen.append(message)
        if seen.count(message) < 2:
            raise OSError

    await register(runtime, "a", act)
    runtime.set_agent_options("a", AgentOptions(concurrency=1, retry=STEADY))
    await clock.run(asyncio.gather(*(runtime.send_message(one, A) for one in "xyz")))
    assert seen == list("xxyyzz")


async def test_the_policy_can_be_replaced_while_the_agent_exists(
    runtime: Runtime, clock: SteppedTime
) -> None:
    act = await failing(runtime, steady(attempts=1), *errors(1))
    with pytest.raises(OSError, match="failure 1"):
        await clock.run(runtime.send_message("x", A))
    runtime.set_agent_options("a", steady(attempts=2))
    act.errors = [*errors(1)]
    assert await clock.run(runtime.send_message("x", A)) == "x in call 3"
    runtime.set_agent_options("a", AgentOptions())
    act.errors = [*errors(1)]
    with pytest.raises(OSError, match="failure 1"):
        await clock.run(runtime.send_message("x", A))


async def test_a_policy_is_set_after_the_agent_is_built_and_before_its_first_message(
    runtime: Runtime, clock: SteppedTime
) -> None:
    act = Failing(*errors(1))
    await register(runtime, "a", act)
    await runtime.get(A, lazy=False)
    runtime.set_agent_options("a", steady())
    assert await clock.run(runtime.send_message("x", A)) == "x in call 2"


async def test_a_policy_is_set_after_the_agent_has_handled_messages(
    runtime: Runtime, clock: SteppedTime
) -> None:
    act = Failing()
    await register(runtime, "a", act)
    assert await runtime.send_message("x", A) == "x in call 1"
    runtime.set_agent_options("a", steady())
    act.errors = [*errors(1)]
    assert await clock.run(runtime.send_message("x", A)) == "x in call 3"


Make = Callable[[list[str]], type[Any]]


def routed(calls: list[str]) -> type[Any]:
    class Routed(RoutedAgent):
        @rpc(match=lambda note, ctx: note.text == "x")
        async def on_x(self, note: Note, ctx: MessageContext) -> str:
            calls.append("x")
            if len(calls) < 2:
                raise OSError
            return "response"

        @event
        async def on_event(self, note: Note, ctx: MessageContext) -> None:
            calls.append("event")
            if len(calls) < 2:
                raise OSError

    return Routed


def own_on_message(calls: list[str]) -> type[Any]:
    class Own(Doing):
        def __init__(self, description: str) -> None:
            super().__init__(echo)
            self.on_message_impl = self.handle  # type: ignore[method-assign]

        async def handle(self, message: Any, ctx: MessageContext) -> str:
            calls.append("event" if not ctx.is_rpc else "x")
            if len(calls) < 2:
                raise OSError
            return "response"

    return Own


@pytest.mark.parametrize("make", [routed, own_on_message])
async def test_the_handler_is_selected_as_without_a_policy(
    runtime: Runtime, clock: SteppedTime, make: Make
) -> None:
    calls: list[str] = []
    cls = agent_options(retry=STEADY)(make(calls))
    await cls.register(runtime, "a", lambda: cls("fails once"))
    await runtime.add_subscription(TypeSubscription("t", "a"))
    assert await clock.run(runtime.send_message(Note("x"), A)) == "response"
    assert calls == ["x", "x"]
    calls.clear()
    await runtime.publish_message(Note("x"), T)
    await clock.run(until_idle(runtime))
    assert calls == ["event", "event"]
