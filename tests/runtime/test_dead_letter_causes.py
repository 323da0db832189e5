"""Which messages become dead letters, with what is known about them."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from typing import Any

import pytest

from ferrogen import (
    ROOT_LOGGER_NAME,
    AgentId,
    AgentOptions,
    DeadLetterCause,
    DefaultInterventionHandler,
    DropMessage,
    RetryPolicy,
    SingleThreadedAgentRuntime,
    Subscription,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import MessageDroppedException

from .function_agents import Gate, boom, echo, register, until_idle
from .stepped_time import SteppedTime

Runtime = SingleThreadedAgentRuntime
A = AgentId("a", "default")
T = TopicId("t", "default")


def causes(runtime: Runtime) -> list[str]:
    return [one.cause.value for one in runtime.dead_letters]


async def test_a_published_message_whose_handler_fails_is_one_letter_for_each_handler(
    runtime: Runtime,
) -> None:
    for name, act in (("a", boom), ("b", echo), ("c", boom)):
        await register(runtime, name, act)
        await runtime.add_subscription(TypeSubscription("t", name))
    await runtime.publish_message("x", T, sender=AgentId("s", "1"), message_id="m1")
    await until_idle(runtime)
    assert [(str(one.recipient), str(one.receiver)) for one in runtime.dead_letters] == [
        ("a/default", "a/default"),
        ("c/default", "c/default"),
    ]
    letter = runtime.dead_letters[0]
    assert (letter.message, letter.sender, letter.message_id) == ("x", AgentId("s", "1"), "m1")
    assert (letter.cause, letter.attempts) == (DeadLetterCause.HANDLER_FAILED, 1)
    assert letter.topic_id == T
    assert letter.reason.args == ("x",)


async def test_the_letter_of_a_failed_handler_keeps_no_variables_alive(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    # pytest keeps log records, and so the tracebacks in them.
    caplog.set_level(logging.CRITICAL + 1, logger=ROOT_LOGGER_NAME)

    class Big:
        pass

    gone: list[weakref.ref[Big]] = []

    async def fail(agent: Any, message: Any, ctx: Any) -> None:
        big = Big()
        gone.append(weakref.ref(big))
        raise KeyError(message)

    await register(runtime, "a", fail)
    await runtime.add_subscription(TypeSubscription("t", "a"))
    await runtime.publish_message("x", T)
    await until_idle(runtime)
    gc.collect()
    assert len(runtime.dead_letters) == 1
    assert gone[0]() is None


async def test_an_error_that_cannot_be_copied_is_kept_itself(runtime: Runtime) -> None:
    class TwoArgumentsError(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} and {two}")

    async def fail(agent: Any, message: Any, ctx: Any) -> None:
        raise TwoArgumentsError(1, 2)

    await register(runtime, "a", fail)
    await runtime.add_subscription(TypeSubscription("t", "a"))
    await runtime.publish_message("x", T)
    await until_idle(runtime)
    assert type(runtime.dead_letters[0].reason) is TwoArgumentsError
    assert str(runtime.dead_letters[0].reason) == "1 and 2"


async def test_a_sent_message_whose_handler_fails_is_an_error_of_the_sender_only(
    runtime: Runtime,
) -> None:
    await register(runtime, "a", boom)
    with pytest.raises(KeyError):
        await runtime.send_message("x", A)
    assert causes(runtime) == []


async def test_a_handler_that_is_cancelled_leaves_no_letter(runtime: Runtime) -> None:
    async def cancelled(agent: Any, message: Any, ctx: Any) -> None:
        raise asyncio.CancelledError

    await register(runtime, "a", cancelled)
    await runtime.add_subscription(TypeSubscription("t", "a"))
    await runtime.publish_message("x", T)
    await until_idle(runtime)
    assert causes(runtime) == []


async def test_a_recipient_that_cannot_be_built(runtime: Runtime) -> None:
    def make() -> Any:
        raise OSError("no disk")

    await runtime.register_factory("a", make)
    await runtime.add_subscription(TypeSubscription("t", "a"))
    await runtime.publish_message("x", T)
    await until_idle(runtime)
    (letter,) = runtime.dead_letters
    assert (letter.cause, letter.topic_id) == (DeadLetterCause.BUILD_FAILED, T)
    assert str(letter.reason) == "no disk"


async def test_a_subscriber_that_is_not_registered(runtime: Runtime) -> None:
    await runtime.add_subscription(TypeSubscription("t", "a"))
    await runtime.publish_message("x", T)
    await until_idle(runtime)
    (letter,) = runtime.dead_letters
    assert letter.cause is DeadLetterCause.UNKNOWN_RECIPIENT
    assert (letter.recipient, letter.topic_id) == (A, T)


async def test_a_subscription_that_raises(runtime: Runtime) -> None:
    class Broken(Subscription):
        id = "broken"

        def is_match(self, topic_id: TopicId) -> bool:
            raise OSError("broken")

        def map_to_agent(self, topic_id: TopicId) -> AgentId:
            return A

        def __eq__(self, other: object) -> bool:
            return self is other

        __hash__ = None  # type: ignore[assignment]

    await runtime.add_subscription(Broken())
    await runtime.publish_message("x", T)
    await until_idle(runtime)
    assert causes(runtime) == ["routing_failed"]


async def test_a_full_mailbox_names_the_recipient(runtime: Runtime) -> None:
    gate = Gate()
    await register(runtime, "a", gate)
    runtime.set_agent_options("a", AgentOptions(concurrency=1, capacity=1))
    await runtime.add_subscription(TypeSubscription("t", "a"))
    await runtime.get(A, lazy=False)
    for number in range(3):
        await runtime.publish_message(number, T)
        await asyncio.sleep(0)
    await gate.arrived.get()
    (letter,) = runtime.dead_letters
    assert (letter.cause, letter.recipient) == (DeadLetterCause.MAILBOX_FULL, A)
    assert (letter.receiver, letter.topic_id) == (T, T)
    gate.open.set()


class Intervening(DefaultInterventionHandler):
    async def on_publish(self, message: Any, **how: Any) -> Any:
        if message == "raise":
            raise OSError("broken")
        return DropMessage

    async def on_send(self, message: Any, **how: Any) -> Any:
        return DropMessage

    async def on_response(self, message: Any, **how: Any) -> Any:
        return DropMessage


async def test_what_an_intervention_handler_drops_or_fails_on() -> None:
    runtime = SingleThreadedAgentRuntime(intervention_handlers=[Intervening()])
    await register(runtime, "a")
    runtime.start()
    await runtime.publish_message("raise", T)
    await runtime.publish_message("drop", T)
    with pytest.raises(MessageDroppedException):
        await runtime.send_message("sent", A)
    await runtime.stop_when_idle()
    assert [(one.message, one.cause.value) for one in runtime.dead_letters] == [
        ("raise", "interception_failed"),
        ("drop", "dropped"),
        ("sent", "dropped"),
    ]
    assert [one.topic_id for one in runtime.dead_letters] == [T, T, None]
    assert runtime.dead_letters[2].recipient == A


async def test_the_path_of_a_deadlock(runtime: Runtime) -> None:
    async def call(agent: Any, message: Any, ctx: Any) -> Any:
        return await agent.send_message(message, agent.id)

    await register(runtime, "a", call)
    runtime.set_agent_options("a", AgentOptions(concurrency=1))
    with pytest.raises(RuntimeError, match="would wait forever"):
        await runtime.send_message("x", A)
    (letter,) = runtime.dead_letters
    assert (letter.cause, letter.path) == (DeadLetterCause.DEADLOCK, (A, A))


async def test_a_message_whose_deadline_passes_in_the_queue(
    runtime: Runtime, clock: SteppedTime
) -> None:
    gate = Gate()
    await register(runtime, "a", gate)
    runtime.set_agent_options("a", AgentOptions(concurrency=1))
    await runtime.add_subscription(TypeSubscription("t", "a"))
    await runtime.publish_message("x", T)
    await runtime.publish_message("y", T, timeout=5)
    await clock.settle()
    await clock.advance(6)
    gate.open.set()
    await clock.settle()
    (letter,) = runtime.dead_letters
    assert (letter.message, letter.cause) == ("y", DeadLetterCause.EXPIRED)


@pytest.mark.parametrize("options", [AgentOptions(), AgentOptions(retry=RetryPolicy())])
async def test_a_published_message_whose_deadline_passes_while_it_is_handled(
    runtime: Runtime, clock: SteppedTime, options: AgentOptions
) -> None:
    await register(runtime, "a", Gate())
    runtime.set_agent_options("a", options)
    await runtime.add_subscription(TypeSubscription("t", "a"))
    await runtime.publish_message("x", T, timeout=5)
    await clock.settle()
    await clock.advance(6)
    (letter,) = runtime.dead_letters
    assert (letter.message, letter.cause, letter.recipient) == ("x", DeadLetterCause.EXPIRED, A)


async def test_a_handler_that_raises_the_error_of_another_deadline_has_failed(
    runtime: Runtime, clock: SteppedTime
) -> None:
    async def call(agent: Any, message: Any, ctx: Any) -> None:
        await runtime.send_message(message, AgentId("b", "default"), timeout=5)

    await register(runtime, "a", call)
    await register(runtime, "b", Gate())
    await runtime.add_subscription(TypeSubscription("t", "a"))
    await runtime.publish_message("x", T)
    await clock.settle()
    await clock.advance(6)
    (letter,) = runtime.dead_letters
    assert (letter.cause, letter.recipient) == (DeadLetterCause.HANDLER_FAILED, A)
