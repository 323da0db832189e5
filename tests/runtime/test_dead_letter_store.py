"""The store of dead letters: filtering, purging, capacity."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    DeadLetter,
    DeadLetterCause,
    DeadLetters,
    SingleThreadedAgentRuntime,
    TopicId,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


def letter(message: Any, **facts: Any) -> DeadLetter:
    recipient = facts.pop("recipient", AgentId("a", "1"))
    return DeadLetter(
        **{
            "message": message,
            "sender": None,
            "receiver": recipient or TopicId("t", "1"),
            "recipient": recipient,
            "message_id": None,
            "reason": OSError("down"),
            "cause": DeadLetterCause.HANDLER_FAILED,
            **facts,
        }
    )


@pytest.fixture
def letters() -> DeadLetters:
    letters = DeadLetters()
    letters.add(letter("x", time=NOON))
    letters.add(letter(1, reason=KeyError("k"), time=NOON + timedelta(hours=1)))
    letters.add(
        letter(
            "y",
            cause=DeadLetterCause.NO_SUBSCRIBER,
            topic_id=TopicId("t", "1"),
            recipient=None,
            time=NOON + timedelta(hours=2),
        )
    )
    letters.add(letter(2.5, recipient=AgentId("b", "1"), time=NOON + timedelta(hours=3)))
    return letters


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({}, ["x", 1, "y", 2.5]),
        ({"cause": DeadLetterCause.NO_SUBSCRIBER}, ["y"]),
        ({"message_type": str}, ["x", "y"]),
        ({"message_type": (int, float)}, [1, 2.5]),
        ({"agent_type": "a"}, ["x", 1]),
        ({"topic_type": "t"}, ["y"]),
        ({"error": LookupError}, [1]),
        ({"since": NOON + timedelta(hours=2)}, ["y", 2.5]),
        ({"where": lambda one: one.message in ("x", 2.5)}, ["x", 2.5]),
        ({"agent_type": "a", "message_type": str}, ["x"]),
        ({"agent_type": "b", "error": KeyError}, []),
    ],
)
def test_letters_are_found_by_all_conditions(
    letters: DeadLetters, conditions: dict[str, Any], found: list[Any]
) -> None:
    assert [one.message for one in letters.filter(**conditions)] == found


def test_what_was_found_can_be_purged(letters: DeadLetters) -> None:
    found = letters.filter(message_type=str)
    assert letters.purge(found) == 2
    assert letters.purge(found) == 0
    assert [one.message for one in letters] == [1, 2.5]
    assert letters.purge(letters[0]) == 1
    assert letters.purge() == 1
    assert (len(letters), letters.total) == (0, 4)


def test_only_the_letters_themselves_are_purged_and_not_equal_ones() -> None:
    letters, reason = DeadLetters(), OSError("down")
    twin = letter("x", time=NOON, reason=reason)
    letters.add(twin)
    letters.add(letter("x", time=NOON, reason=reason))
    assert letters[0] == letters[1]
    letters.purge(twin)
    assert len(letters) == 1
    assert letters[0] is not twin


def test_a_letter_has_the_time_at_which_it_was_made() -> None:
    before = datetime.now(timezone.utc)
    made = letter("x")
    assert before <= made.time <= datetime.now(timezone.utc)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, None])
def test_a_capacity_is_a_whole_number(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"capacity must be a whole number of at least 1; got "):
        DeadLetters(capacity=wrong)


async def test_the_capacity_is_an_option_of_the_runtime() -> None:
    runtime = SingleThreadedAgentRuntime(dead_letter_capacity=2)
    runtime.start()
    for number in range(5):
        await runtime.publish_message(number, TopicId("t", "1"))
    await runtime.stop_when_idle()
    letters = runtime.dead_letters
    assert [one.message for one in letters] == [3, 4]
    assert (letters.capacity, letters.total) == (2, 5)


async def test_letters_without_a_runtime_cannot_be_replayed(letters: DeadLetters) -> None:
    with pytest.raises(RuntimeError, match="do not belong to a runtime"):
        await letters.replay(letters[0])
