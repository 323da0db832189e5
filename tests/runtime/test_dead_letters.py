"""Dead letters: undeliverable messages can be inspected, and are limited in number."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    DeadLetter,
    DeadLetterCause,
    DeadLetters,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import MailboxFullError, RecipientNotFoundError

from .function_agents import Gate, register

Runtime = SingleThreadedAgentRuntime


def letter(message: Any) -> DeadLetter:
    return DeadLetter(
        message=message,
        sender=None,
        receiver=AgentId("unknown", "1"),
        message_id=None,
        reason=RecipientNotFoundError("gone"),
        cause=DeadLetterCause.UNKNOWN_RECIPIENT,
    )


def test_the_newest_are_kept_and_all_are_counted() -> None:
    letters = DeadLetters(capacity=3)
    for number in range(5):
        letters.add(letter(number))
    assert [one.message for one in letters] == [2, 3, 4]
    assert (len(letters), letters.total) == (3, 5)
    assert (letters[-1].message, [one.message for one in letters[:2]]) == (4, [2, 3])


def test_cleared_letters_release_their_messages_and_stay_counted() -> None:
    class Message:
        pass

    letters, message = DeadLetters(), Message()
    letters.add(letter(message))
    gone = weakref.ref(message)
    del message
    letters.clear()
    assert gone() is None
    assert (len(letters), letters.total) == (0, 1)


def test_letters_can_be_added_during_iteration() -> None:
    letters = DeadLetters(capacity=2)
    letters.add(letter(0))
    for one in letters:
        letters.add(letter(one.message + 1))
    assert [one.message for one in letters] == [0, 1]


async def test_a_letter_does_not_keep_the_senders_variables_alive(runtime: Runtime) -> None:
    class Big:
        pass

    async def send() -> weakref.ref[Big]:
        big = Big()
        with pytest.raises(RecipientNotFoundError):
            await runtime.send_message("hello", AgentId("unknown", "1"))
        return weakref.ref(big)

    gone = await send()
    assert runtime.dead_letters[-1].reason.args
    assert gone() is None


async def test_a_letter_has_sender_message_receiver_and_reason(runtime: Runtime) -> None:
    writer, unknown = AgentId("writer", "1"), AgentId("unknown", "1")
    with pytest.raises(RecipientNotFoundError) as caught:
        await runtime.send_message("hello", unknown, sender=writer, message_id="m1")
    (dead,) = runtime.dead_letters
    assert (dead.message, dead.sender, dead.receiver, dead.message_id) == (
        "hello",
        writer,
        unknown,
        "m1",
    )
    assert repr(dead.reason) == repr(caught.value)


async def test_a_message_to_a_full_mailbox_becomes_a_letter(runtime: Runtime) -> None:
    gate = Gate()
    worker = await register(runtime, "worker", gate)
    runtime.set_agent_options("worker", AgentOptions(concurrency=1, capacity=1))
    await runtime.add_subscription(TypeSubscription("work", "worker"))
    await runtime.get(worker(), lazy=False)
    for number in range(3):
        await runtime.publish_message(number, TopicId("work", "default"))
        await asyncio.sleep(0)
    await gate.arrived.get()
    with pytest.raises(MailboxFullError, match="mailbox of worker/default is full"):
        await runtime.send_message(3, worker())
    assert [(one.message, str(one.receiver)) for one in runtime.dead_letters] == [
        (2, "work/default"),
        (3, "worker/default"),
    ]
    gate.open.set()


async def test_a_message_that_is_queued_when_the_runtime_stops_becomes_a_letter(
    runtime: Runtime,
) -> None:
    await runtime.publish_message("never", TopicId("work", "default"))
    await runtime.stop()
    assert [type(one.reason).__name__ for one in runtime.dead_letters] == ["RuntimeStoppedError"]
