"""Structured log events of the runtime, model clients and tools.

They go to the logger named by ``EVENT_LOGGER_NAME``. Each event has its fields in ``kwargs``, and
is rendered as one line of JSON when a handler formats it. Events that the runtime logs for messages
create these fields when they are first read.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, cast

from ferrogen._core import AgentId
from ferrogen._messaging.handler_context import MessageHandlerContext
from ferrogen._messaging.topic import TopicId
from ferrogen._telemetry.late_facts import (
    LateFacts,
    as_json,
    facts_alone,
    one_fact,
    quoted,
    settled,
)

_FACTS_OF_A_MESSAGE = 6


class LLMCallEvent:
    """One finished call to a language model, logged by model clients.

    Args:
        messages: What was sent to the model.
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

    def __init__(
        self,
        *,
        messages: list[dict[str, Any]],
        response: dict[str, Any],
        prompt_tokens: int,
        completion_tokens: int,
        **kwargs: Any,
    ) -> None:
        self.kwargs = kwargs
        kwargs["type"] = "LLMCall"
        kwargs["messages"] = messages
        kwargs["response"] = response
        kwargs["prompt_tokens"] = prompt_tokens
        kwargs["completion_tokens"] = completion_tokens
        kwargs["agent_id"] = _handling_agent()

    @property
    def prompt_tokens(self) -> int:
        """Number of tokens in the prompt."""
        return cast(int, self.kwargs["prompt_tokens"])

    @property
    def completion_tokens(self) -> int:
        """Number of tokens in the response."""
        return cast(int, self.kwargs["completion_tokens"])

    def __str__(self) -> str:
        return as_json(self.kwargs)


class LLMStreamStartEvent:
    """A streamed call to a language model begins, logged by model clients.

    Args:
        messages: What was sent to the model.
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

    def __init__(self, *, messages: list[dict[str, Any]], **kwargs: Any) -> None:
        self.kwargs = kwargs
        kwargs["type"] = "LLMStreamStart"
        kwargs["messages"] = messages
        kwargs["agent_id"] = _handling_agent()

    def __str__(self) -> str:
        return as_json(self.kwargs)


class LLMStreamEndEvent:
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

    def __init__(
        self,
        *,
        response: dict[str, Any],
        prompt_tokens: int,
        completion_tokens: int,
        **kwargs: Any,
    ) -> None:
        self.kwargs = kwargs
        kwargs["type"] = "LLMStreamEnd"
        kwargs["response"] = response
        kwargs["prompt_tokens"] = prompt_tokens
        kwargs["completion_tokens"] = completion_tokens
        kwargs["agent_id"] = _handling_agent()

    @property
    def prompt_tokens(self) -> int:
        """Number of tokens in the prompt."""
        return cast(int, self.kwargs["prompt_tokens"])

    @property
    def completion_tokens(self) -> int:
        """Number of tokens in the response."""
        return cast(int, self.kwargs["completion_tokens"])

    def __str__(self) -> str:
        return as_json(self.kwargs)


class ToolCallEvent:
    """One finished call of a tool.

    Args:
        tool_name: The tool that ran.
        arguments: What it was called with.
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

    def __init__(self, *, tool_name: str, arguments: dict[str, Any], result: str) -> None:
        self.kwargs: dict[str, Any] = {
            "type": "ToolCall",
            "tool_name": tool_name,
            "arguments": arguments,
            "result": result,
            "agent_id": _handling_agent(),
        }

    def __str__(self) -> str:
        return as_json(self.kwargs)


class MessageKind(Enum):
    """The kind of message of an event."""

    DIRECT = 1
    PUBLISH = 2
    RESPOND = 3


class DeliveryStage(Enum):
    """The stage of the message when the event was logged."""

    SEND = 1
    DELIVER = 2


class MessageEvent:
    """A message was accepted by the runtime, or is delivered to its recipient.

    Args:
        payload: The message as text.
        sender: The agent that sent it, if an agent did.
        receiver: The agent or topic it goes to.
        kind: Direct, published, or a response.
        delivery_stage: Accepted or delivered.
        **kwargs: Further fields to log.

    Example:
        ```python
        from ferrogen import AgentId
        from ferrogen.logging import DeliveryStage, MessageEvent, MessageKind

        print(
            MessageEvent(
                payload='{"text":"hello"}',
                sender=None,
                receiver=AgentId("greeter", "default"),
                kind=MessageKind.DIRECT,
                delivery_stage=DeliveryStage.SEND,
            )
        )
        ```
    """

    kwargs = LateFacts("sender", "receiver", "kind", "delivery_stage")
    fact = one_fact
    __getstate__ = facts_alone

    def __init__(
        self,
        *,
        payload: str,
        sender: AgentId | None,
        receiver: AgentId | TopicId | None,
        kind: MessageKind,
        delivery_stage: DeliveryStage,
        **kwargs: Any,
    ) -> None:
        kwargs["payload"] = payload
        kwargs["sender"] = sender
        kwargs["receiver"] = receiver
        kwargs["kind"] = kind
        kwargs["delivery_stage"] = delivery_stage
        kwargs["type"] = "Message"
        self._given = kwargs

    def __str__(self) -> str:
        given = vars(self).get("_given")
        payload = None if given is None else settled("payload", given)
        if given is None or len(given) > _FACTS_OF_A_MESSAGE or not isinstance(payload, str):
            return as_json(self.kwargs)
        # Four of these are rendered for one request: formatting the line directly costs a third.
        return (
            f'{{"payload": {quoted(payload)}, "sender": {quoted(given["sender"])}, '
            f'"receiver": {quoted(given["receiver"])}, "kind": {quoted(given["kind"])}, '
            f'"delivery_stage": {quoted(given["delivery_stage"])}, "type": "Message"}}'
        )


class MessageDroppedEvent:
    """An intervention handler dropped a message.

    Args:
        payload: The message as text.
        sender: The agent that sent it, if an agent did.
        receiver: The agent or topic it was addressed to.
        kind: Direct, published, or a response.
        **kwargs: Further fields to log.

    Example:
        ```python
        from ferrogen import TopicId
        from ferrogen.logging import MessageDroppedEvent, MessageKind

        print(
            MessageDroppedEvent(
                payload='{"text":"spam"}',
                sender=None,
                receiver=TopicId("news", "default"),
                kind=MessageKind.PUBLISH,
            )
        )
        ```
    """

    kwargs = LateFacts("sender", "receiver", "kind")
    fact = one_fact
    __getstate__ = facts_alone

    def __init__(
        self,
        *,
        payload: str,
        sender: AgentId | None,
        receiver: AgentId | TopicId | None,
        kind: MessageKind,
        **kwargs: Any,
    ) -> None:
        kwargs["payload"] = payload
        kwargs["sender"] = sender
        kwargs["receiver"] = receiver
        kwargs["kind"] = kind
        kwargs["type"] = "MessageDropped"
        self._given = kwargs

    def __str__(self) -> str:
        return as_json(self.kwargs)


class MessageHandlerExceptionEvent:
    """A message handler raised.

    Args:
        payload: The message as text.
        handling_agent: The agent whose handler raised.
        exception: What it raised.
        **kwargs: Further fields to log.

    Example:
        ```python
        from ferrogen import AgentId
        from ferrogen.logging import MessageHandlerExceptionEvent

        print(
            MessageHandlerExceptionEvent(
                payload='{"text":"hello"}',
                handling_agent=AgentId("greeter", "default"),
                exception=ValueError("too polite"),
            )
        )
        ```
    """

    kwargs = LateFacts("handling_agent", "exception")
    fact = one_fact
    __getstate__ = facts_alone

    def __init__(
        self,
        *,
        payload: str,
        handling_agent: AgentId,
        exception: BaseException,
        **kwargs: Any,
    ) -> None:
        kwargs["payload"] = payload
        kwargs["handling_agent"] = handling_agent
        kwargs["exception"] = exception
        kwargs["type"] = "MessageHandlerException"
        self._given = kwargs

    def __str__(self) -> str:
        return as_json(self.kwargs)


class AgentConstructionExceptionEvent:
    """An agent could not be built.

    Args:
        agent_id: The id of the agent.
        exception: What its factory raised.
        **kwargs: Further fields to log.

    Example:
        ```python
        from ferrogen import AgentId
        from ferrogen.logging import AgentConstructionExceptionEvent

        print(
            AgentConstructionExceptionEvent(
                agent_id=AgentId("greeter", "default"), exception=OSError("no phrase book")
            )
        )
        ```
    """

    kwargs = LateFacts("agent_id", "exception")
    fact = one_fact
    __getstate__ = facts_alone

    def __init__(self, *, agent_id: AgentId, exception: BaseException, **kwargs: Any) -> None:
        kwargs["agent_id"] = agent_id
        kwargs["exception"] = exception
        kwargs["type"] = "AgentConstructionException"
        self._given = kwargs

    def __str__(self) -> str:
        return as_json(self.kwargs)


def _handling_agent() -> str | None:
    """The agent that is handling a message, or None outside any handler."""
    try:
        return str(MessageHandlerContext.agent_id())
    except RuntimeError:
        return None
