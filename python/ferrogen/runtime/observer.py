"""The observer: events on AutoGen's loggers, and spans, only if a listener is configured (B2).

The event logger gets one structured event for each stage of a message, if it takes INFO records. An
event serializes its payload when a log handler reads it. Spans are created only if a tracer records
them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from typing import Any

from opentelemetry.util.types import AttributeValue

from ferrogen._core import AgentId
from ferrogen.logging import (
    DeliveryStage,
    MessageDroppedEvent,
    MessageEvent,
    MessageHandlerExceptionEvent,
    MessageKind,
)
from ferrogen.messaging.topic import TopicId
from ferrogen.runtime.log import log, log_event
from ferrogen.runtime.protocols import Agent
from ferrogen.serialization.registry import SerializationRegistry
from ferrogen.serialization.serializer import JSON_DATA_CONTENT_TYPE, type_name
from ferrogen.telemetry.lazy_facts import lazy_text, quoted
from ferrogen.telemetry.names import EVENT_LOGGER_NAME, ROOT_LOGGER_NAME
from ferrogen.telemetry.tracing import TraceHelper
from ferrogen.telemetry.tracing_config import MESSAGE_TYPE

__all__ = ["Observer"]

_logger = logging.getLogger(ROOT_LOGGER_NAME)
_events = logging.getLogger(EVENT_LOGGER_NAME)

# The attributes of spans with the type of an agent, and its class.
_SENDER = ("sender_agent_type", "sender_agent_class")
_RECIPIENT = ("recipient_agent_type", "recipient_agent_class")

# AutoGen's words, which programs match on.
_NOT_SERIALIZED = "Message could not be serialized"


class Observer:
    """Reports events of messages to loggers and tracers.

    Args:
        registry: Serializes payloads for events and spans.
        tracing: Where spans go.
    """

    def __init__(
        self, registry: SerializationRegistry, tracing: TraceHelper[Any, Any, Any]
    ) -> None:
        self._registry = registry
        self.tracing = tracing
        self.find_agent: Callable[[AgentId], Agent | None] = lambda _agent_id: None
        """Finds an agent, for the class name in its spans."""
        self.is_traced = False
        """Whether spans are recorded, as of the start of the runtime."""
        self.runtime_context: Context = copy_context()
        """The context in which the runtime was started."""

    @property
    def logs_events(self) -> bool:
        """Whether the event logger takes events."""
        return _events.isEnabledFor(logging.INFO)

    @property
    def logs_deliveries(self) -> bool:
        """Whether a logger takes records of messages that are sent and delivered."""
        return _logger.isEnabledFor(logging.INFO) or _events.isEnabledFor(logging.INFO)

    def create_attributes(self, message: Any) -> dict[str, AttributeValue]:
        """The attributes of the span in which a message is sent."""
        return {MESSAGE_TYPE: type(message).__name__}

    def process_attributes(
        self,
        message: Any,
        sender: AgentId | None,
        agent_id: AgentId,
        *,
        topic_id: TopicId | None,
        message_id: str | None,
    ) -> dict[str, AttributeValue]:
        """The attributes of the span of a handler."""
        context = (
            f'{{"sender": {quoted(str(sender))}, "topic_id": {quoted(str(topic_id))}, '
            f'"is_rpc": {"true" if topic_id is None else "false"}, '
            f'"message_id": {quoted(message_id)}}}'
        )
        attributes: dict[str, AttributeValue] = {}
        self._add_agent(attributes, _SENDER, sender)
        self._add_agent(attributes, _RECIPIENT, agent_id)
        attributes["message_context"] = context
        attributes["message"] = self._traced(message)
        return attributes

    def response_attributes(
        self,
        message: Any,
        recipient: AgentId | None,
        of_request: Mapping[str, AttributeValue],
    ) -> dict[str, AttributeValue]:
        """The attributes of the span in which a response reaches the sender.

        Args:
            message: The response.
            recipient: The sender of the request.
            of_request: The attributes of the span of the handler.
        """
        attributes: dict[str, AttributeValue] = {}
        for name, name_of_request in zip(_SENDER, _RECIPIENT, strict=True):
            if name_of_request in of_request:
                attributes[name] = of_request[name_of_request]
        self._add_agent(attributes, _RECIPIENT, recipient)
        attributes["message"] = self._traced(message)
        return attributes

    def sent(self, message: Any, sender: AgentId | None, receiver: AgentId | TopicId) -> None:
        """A message was sent or published."""
        if _logger.isEnabledFor(logging.INFO):
            log(
                _logger,
                logging.INFO,
                "%s from %s to %s",
                type(message).__name__,
                sender or "outside",
                receiver,
            )
        if _events.isEnabledFor(logging.INFO):
            direct = isinstance(receiver, AgentId)
            kind = MessageKind.DIRECT if direct else MessageKind.PUBLISH
            self._message_event(message, sender, receiver, kind, DeliveryStage.SEND)

    def delivered(
        self, agent_id: AgentId, message: Any, sender: AgentId | None, *, direct: bool
    ) -> None:
        """A message is about to be delivered to a handler."""
        if _logger.isEnabledFor(logging.INFO):
            log(_logger, logging.INFO, "%s reaches %s", type(message).__name__, agent_id)
        if _events.isEnabledFor(logging.INFO):
            kind = MessageKind.DIRECT if direct else MessageKind.PUBLISH
            receiver = agent_id if direct else None
            self._message_event(message, sender, receiver, kind, DeliveryStage.DELIVER)

    def responded(
        self, message: Any, sender: AgentId, recipient: AgentId | None, stage: DeliveryStage
    ) -> None:
        """A handler has ended with a response, or the response has reached the sender."""
        if _events.isEnabledFor(logging.INFO):
            self._message_event(message, sender, recipient, MessageKind.RESPOND, stage)

    def dropped(
        self,
        message: Any,
        sender: AgentId | None,
        receiver: AgentId | TopicId | None,
        kind: MessageKind,
    ) -> None:
        """An intervention handler dropped a message or a response."""
        if _events.isEnabledFor(logging.INFO):
            payload = lazy_text(self._shown, message)
            event = MessageDroppedEvent(
                payload=payload, sender=sender, receiver=receiver, kind=kind
            )
            log_event(_events, event)

    def failed(
        self, agent_id: AgentId, message: Any, error: BaseException, *, direct: bool
    ) -> None:
        """A handler raised. The error of a direct message goes to its sender, not to the log."""
        if not direct:
            log(
                _logger,
                logging.ERROR,
                "Error processing publish message for %s",
                agent_id,
                exc_info=error,
            )
        if _events.isEnabledFor(logging.INFO):
            event = MessageHandlerExceptionEvent(
                payload=lazy_text(self._shown, message), handling_agent=agent_id, exception=error
            )
            log_event(_events, event)

    def _message_event(
        self,
        message: Any,
        sender: AgentId | None,
        receiver: AgentId | TopicId | None,
        kind: MessageKind,
        stage: DeliveryStage,
    ) -> None:
        payload = lazy_text(self._shown, message)
        event = MessageEvent.of(payload, sender, receiver, kind, stage)
        log_event(_events, event)

    def _shown(self, message: Any) -> str:
        registry = self._registry
        try:
            name = type_name(message)
            # Responses are often plain values: asking first is cheaper than an error.
            if not registry.is_registered(name, JSON_DATA_CONTENT_TYPE):
                return _NOT_SERIALIZED
            encoded = registry.serialize(
                message, type_name=name, data_content_type=JSON_DATA_CONTENT_TYPE
            )
            return encoded.decode("utf-8")
        except Exception:  # noqa: BLE001 - an error of a serializer does not affect the message
            return _NOT_SERIALIZED

    def _traced(self, message: Any) -> str:
        return "No Message" if message is None else self._shown(message)

    def _add_agent(
        self,
        attributes: dict[str, AttributeValue],
        names: tuple[str, str],
        agent_id: AgentId | None,
    ) -> None:
        if agent_id is None:
            return
        name_of_type, name_of_class = names
        attributes[name_of_type] = agent_id.type
        agent = self.find_agent(agent_id)
        if agent is not None:
            attributes[name_of_class] = type(agent).__name__
