"""Limits of contexts, and their configs: each field is an attribute with a `_` before it."""

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from ferrogen.exceptions import ContextLimitError
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


def checked_limit(name: str, limit: int) -> int:
    """Return the limit.

    Args:
        name: The parameter that it was given as.
        limit: How much is sent at most.

    Raises:
        ContextLimitError: It is not above zero.
    """
    if limit <= 0:
        raise ContextLimitError(f"{name} must be greater than 0, not {limit}")
    return limit


ConfigT = TypeVar("ConfigT", bound=BaseModel)


def config_of(context: object, schema: type[ConfigT], **written: Any) -> ConfigT:
    """Write the config of a context.

    Args:
        context: The context, with an attribute ``_x`` for each field ``x``.
        schema: The class of the config.
        **written: Fields whose attributes are not data, in the form that the config has them in.
    """
    plain = schema.model_fields.keys() - written.keys()
    return schema(**written, **{name: getattr(context, f"_{name}") for name in plain})
