"""Log events of messages and agents, with fields that are created when they are first read."""

from __future__ import annotations

from enum import Enum
from typing import Any

from typing_extensions import Self

from ferrogen._core import AgentId
from ferrogen.messaging.topic import TopicId
from ferrogen.telemetry.lazy_facts import LazyEvent, LazyFacts, as_json, quoted, resolve

_FACTS_OF_A_MESSAGE = 6


class _Shown(Enum):
    """An enum whose members are shown in each event, and know their text in it."""

    def __init__(self, _value: int) -> None:
        self.shown = quoted(f"{type(self).__name__}.{self.name}")


class MessageKind(_Shown):
    """The kind of message of an event."""

    __module__ = "ferrogen.logging"

    DIRECT = 1
    PUBLISH = 2
    RESPOND = 3


class DeliveryStage(_Shown):
    """The stage of the message when the event was logged."""

    __module__ = "ferrogen.logging"

    SEND = 1
    DELIVER = 2


class MessageEvent(LazyEvent):
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

    __module__ = "ferrogen.logging"

    kwargs = LazyFacts("sender", "receiver", "kind", "delivery_stage")

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
        # These events are made for each message: a second dict would double their cost.
        kwargs["payload"] = payload
        kwargs["sender"] = sender
        kwargs["receiver"] = receiver
        kwargs["kind"] = kind
        kwargs["delivery_stage"] = delivery_stage
        kwargs["type"] = "Message"
        self._given = kwargs

    @classmethod
    def of(
        cls,
        payload: str,
        sender: AgentId | None,
        receiver: AgentId | TopicId | None,
        kind: MessageKind,
        delivery_stage: DeliveryStage,
    ) -> Self:
        """Make an event without further fields, for half of what a call of the class costs.

        Its arguments and what they mean are those of the class.
        """
        event = cls.__new__(cls)
        event._given = {
            "payload": payload,
            "sender": sender,
            "receiver": receiver,
            "kind": kind,
            "delivery_stage": delivery_stage,
            "type": "Message",
        }
        return event

    def __str__(self) -> str:
        given = vars(self).get("_given")
        payload = None if given is None else resolve("payload", given)
        if given is None or len(given) > _FACTS_OF_A_MESSAGE or not isinstance(payload, str):
            return as_json(self.kwargs)
        kind, stage = given["kind"], given["delivery_stage"]
        kind = kind.shown if isinstance(kind, _Shown) else quoted(kind)
        stage = stage.shown if isinstance(stage, _Shown) else quoted(stage)
        # Four of these are rendered for one request: formatting the line directly costs a third.
        return (
            f'{{"payload": {quoted(payload)}, "sender": {quoted(given["sender"])}, '
            f'"receiver": {quoted(given["receiver"])}, "kind": {kind}, '
            f'"delivery_stage": {stage}, "type": "Message"}}'
        )


class MessageDroppedEvent(LazyEvent):
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

    __module__ = "ferrogen.logging"

    kwargs = LazyFacts("sender", "receiver", "kind")

    def __init__(
        self,
        *,
        payload: str,
        sender: AgentId | None,
        receiver: AgentId | TopicId | None,
        kind: MessageKind,
        **kwargs: Any,
    ) -> None:
        self._given = {
            **kwargs,
            "payload": payload,
            "sender": sender,
            "receiver": receiver,
            "kind": kind,
            "type": "MessageDropped",
        }


class MessageHandlerExceptionEvent(LazyEvent):
    """A message handler raised.

    Args:
        payload: The message as text.
        handling_agent: The agent whose handler raised.
        exception: The exception that it raised.
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

    __module__ = "ferrogen.logging"

    kwargs = LazyFacts("handling_agent", "exception")

    def __init__(
        self,
        *,
        payload: str,
        handling_agent: AgentId,
        exception: BaseException,
        **kwargs: Any,
    ) -> None:
        self._given = {
            **kwargs,
            "payload": payload,
            "handling_agent": handling_agent,
            "exception": exception,
            "type": "MessageHandlerException",
        }


class AgentConstructionExceptionEvent(LazyEvent):
    """An agent could not be built.

    Args:
        agent_id: The id of the agent.
        exception: The exception of its factory.
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

    __module__ = "ferrogen.logging"

    kwargs = LazyFacts("agent_id", "exception")

    def __init__(self, *, agent_id: AgentId, exception: BaseException, **kwargs: Any) -> None:
        self._given = {
            **kwargs,
            "agent_id": agent_id,
            "exception": exception,
            "type": "AgentConstructionException",
        }
