"""A conversation is never cut between a call of functions and its results."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen import FunctionCall
from ferrogen.model_context.limits import exchange_at, from_a_beginning, up_to_an_end
from ferrogen.models import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    UserMessage,
)

MESSAGES = {
    "u": UserMessage(content="hello", source="user"),
    "a": AssistantMessage(content="hello", source="agent"),
    "c": AssistantMessage(
        content=[FunctionCall(id="1", name="add", arguments="{}")], source="agent"
    ),
    "r": FunctionExecutionResultMessage(
        content=[FunctionExecutionResult(content="2", name="add", call_id="1")]
    ),
}
LETTERS = {id(message): letter for letter, message in MESSAGES.items()}
PARTS = st.sampled_from(["u", "a", "cr", "crr", "crrr"])


def of(pattern):
    return [MESSAGES[letter] for letter in pattern]


def letters(messages):
    return "".join(LETTERS[id(message)] for message in messages)


@pytest.mark.parametrize(
    ("pattern", "rest"), [("", ""), ("r", ""), ("rru", "u"), ("crr", "crr"), ("urr", "urr")]
)
def test_results_at_the_start_are_left_out(pattern, rest):
    assert letters(from_a_beginning(of(pattern))) == rest


@pytest.mark.parametrize(
    ("pattern", "size", "kept"),
    [
        ("", 1, ""),
        ("uau", 2, "ua"),
        ("ucr", 2, "u"),
        ("ucrr", 3, "u"),
        ("ucrru", 4, "ucrr"),
        ("ucu", 2, "u"),
        ("ua", 9, "ua"),
    ],
)
def test_the_first_messages_end_with_no_call_that_is_cut_off(pattern, size, kept):
    assert letters(up_to_an_end(of(pattern), size)) == kept


@given(st.lists(PARTS, min_size=1), st.data())
def test_wherever_it_is_cut_every_part_is_there_as_a_whole_or_not_at_all(parts, data):
    pattern = "".join(parts)
    at = data.draw(st.integers(0, len(pattern) - 1))
    messages = of(pattern)
    starts = ["".join(parts[:count]) for count in range(len(parts) + 1)]
    ends = ["".join(parts[count:]) for count in range(len(parts) + 1)]

    assert letters(up_to_an_end(messages, at)) in starts
    assert letters(from_a_beginning(messages[at:])) in ends
    assert letters(messages[exchange_at(messages, at)]) in parts
