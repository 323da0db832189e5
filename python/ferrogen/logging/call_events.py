"""Log events of calls to models and tools."""

from __future__ import annotations

from typing import Any

from ferrogen.messaging.handler_context import MessageHandlerContext
from ferrogen.telemetry.lazy_facts import Event


class _AnswerEvent(Event):
    """Base class of the events that have a model's response."""

    @property
    def prompt_tokens(self) -> int:
        """Number of tokens in the prompt."""
        tokens: int = self.kwargs["prompt_tokens"]
        return tokens

    @property
    def completion_tokens(self) -> int:
        """Number of tokens in the response."""
        tokens: int = self.kwargs["completion_tokens"]
        return tokens


class LLMCallEvent(_AnswerEvent):
    """One finished call to a language model, logged by model clients.

    Args:
        messages: The messages that were sent to the model.
        response: The model's response.
        prompt_tokens: Number of tokens in the prompt.
        completion_tokens: Number of tokens in the response.
        **kwargs: Further fields to log.

    Example:
        ```python
        import logging

        from ferrogen import EVENT_LOGGER_NAME
        from ferrogen.logging import LLMCallEvent

        logging.getLogger(EVENT_LOGGER_NAME).info(
            LLMCallEvent(
                messages=[{"role": "user", "content": "What floats?"}],
                response={"content": "A duck."},
                prompt_tokens=3,
                completion_tokens=2,
            )
        )
        ```
    """

    __module__ = "ferrogen.logging"

    def __init__(
        self,
        *,
        messages: list[dict[str, Any]],
        response: dict[str, Any],
        prompt_tokens: int,
        completion_tokens: int,
        **kwargs: Any,
    ) -> None:
        self.kwargs = {
            **kwargs,
            "type": "LLMCall",
            "messages": messages,
            "response": response,
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "agent_id": _handling_agent(),
        }


class LLMStreamStartEvent(Event):
    """A streamed call to a language model begins, logged by model clients.

    Args:
        messages: The messages that were sent to the model.
        **kwargs: Further fields to log.

    Example:
        ```python
        import logging

        from ferrogen import EVENT_LOGGER_NAME
        from ferrogen.logging import LLMStreamStartEvent

        logging.getLogger(EVENT_LOGGER_NAME).info(
            LLMStreamStartEvent(messages=[{"role": "user", "content": "What floats?"}])
        )
        ```
    """

    __module__ = "ferrogen.logging"

    def __init__(self, *, messages: list[dict[str, Any]], **kwargs: Any) -> None:
        self.kwargs = {
            **kwargs,
            "type": "LLMStreamStart",
            "messages": messages,
            "agent_id": _handling_agent(),
        }


class LLMStreamEndEvent(_AnswerEvent):
    """A streamed call to a language model is complete, logged by model clients.

    Args:
        response: The model's complete response.
        prompt_tokens: Number of tokens in the prompt.
        completion_tokens: Number of tokens in the response.
        **kwargs: Further fields to log.

    Example:
        ```python
        import logging

        from ferrogen import EVENT_LOGGER_NAME
        from ferrogen.logging import LLMStreamEndEvent

        logging.getLogger(EVENT_LOGGER_NAME).info(
            LLMStreamEndEvent(response={"content": "A duck."}, prompt_tokens=3, completion_tokens=2)
        )
        ```
    """

    __module__ = "ferrogen.logging"

    def __init__(
        self,
        *,
        response: dict[str, Any],
        prompt_tokens: int,
        completion_tokens: int,
        **kwargs: Any,
    ) -> None:
        self.kwargs = {
            **kwargs,
            "type": "LLMStreamEnd",
            "response": response,
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "agent_id": _handling_agent(),
        }


class ToolCallEvent(Event):
    """One finished call of a tool.

    Args:
        tool_name: The tool that ran.
        arguments: Its arguments.
        result: Its result, as text.

    Example:
        ```python
        import logging

        from ferrogen import EVENT_LOGGER_NAME
        from ferrogen.logging import ToolCallEvent

        logging.getLogger(EVENT_LOGGER_NAME).info(
            ToolCallEvent(tool_name="add", arguments={"a": 1, "b": 2}, result="3")
        )
        ```
    """

    __module__ = "ferrogen.logging"

    def __init__(self, *, tool_name: str, arguments: dict[str, Any], result: str) -> None:
        self.kwargs = {
            "type": "ToolCall",
            "tool_name": tool_name,
            "arguments": arguments,
            "result": result,
            "agent_id": _handling_agent(),
        }


def _handling_agent() -> str | None:
    """The agent that is handling a message, or None outside any handler."""
    try:
        return str(MessageHandlerContext.agent_id())
    except RuntimeError:
        return None
