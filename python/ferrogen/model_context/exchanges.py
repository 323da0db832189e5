"""Where a conversation may be cut: never between a call of functions and its results.

A service refuses results whose call it does not see, and a call without its results. Results are
recognized by their position: they belong to the message that they follow.
"""

from collections.abc import Sequence

from ferrogen.models.messages import (
    AssistantMessage,
    FunctionExecutionResultMessage,
    LLMMessage,
)


def from_a_beginning(messages: Sequence[LLMMessage]) -> list[LLMMessage]:
    """Leave out results at the start, whose call is not there."""
    start = 0
    while start < len(messages) and _is_result(messages[start]):
        start += 1
    return list(messages[start:])


def up_to_an_end(messages: Sequence[LLMMessage], size: int) -> list[LLMMessage]:
    """Take the first messages, at most ``size``, without a call that is cut from its results."""
    end = min(size, len(messages))
    while 0 < end < len(messages) and _is_result(messages[end]):
        end -= 1
    if end and _is_call(messages[end - 1]):
        end -= 1
    return list(messages[:end])


def exchange_at(messages: Sequence[LLMMessage], index: int) -> slice:
    """Return the slice of a message together with the results that belong to it."""
    start = index
    while start > 0 and _is_result(messages[start]):
        start -= 1
    end = index + 1
    while end < len(messages) and _is_result(messages[end]):
        end += 1
    return slice(start, end)


def _is_result(message: LLMMessage) -> bool:
    return isinstance(message, FunctionExecutionResultMessage)


def _is_call(message: LLMMessage) -> bool:
    return isinstance(message, AssistantMessage) and not isinstance(message.content, str)
