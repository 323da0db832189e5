"""What others see of the runtime: events on AutoGen's loggers and spans. Nothing unless asked (B2).

The event logger gets one structured event for each stage of a message, if it takes INFO records.
The event encodes its payload when a log handler wants it. Spans are opened only when a tracer
records them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from opentelemetry.trace import Link, Span, get_current_span
from opentelemetry.util.types import AttributeValue

from ferrogen._core import AgentId, Dispatcher
from ferrogen._messaging.topic import TopicId
from ferrogen._serialization.registry import SerializationRegistry
from ferrogen._serialization.serializer import JSON_DATA_CONTENT_TYPE
from ferrogen._telemetry.late_facts import late_text, quoted
from ferrogen._telemetry.loggers import EVENT_LOGGER_NAME, ROOT_LOGGER_NAME
from ferrogen._telemetry.propagation import link_to
from ferrogen._telemetry.tracing import SpanBlock, TraceHelper
from ferrogen._telemetry.tracing_config import MESSAGE_TYPE
from ferrogen.logging import (
    DeliveryStage,
    MessageDroppedEvent,
    MessageEvent,
    MessageHandlerExceptionEvent,
    MessageKind,
)

from .envelope import AnswerEnvelope, DirectEnvelope, Envelope, MessageEnvelope, PublishEnvelope
from .telling import tell, tell_event

__all__ = ["Observer"]

_logger = logging.getLogger(ROOT_LOGGER_NAME)
_events = logging.getLogger(EVENT_LOGGER_NAME)

# How spans name the type of an agent, and its class.
_SENDER = ("sender_agent_type", "sender_agent_class")
_RECIPIENT = ("recipient_agent_type", "recipient_agent_class")


class Observer:
    """Reports the life of messages to whoever listens.

    Args:
        registry: How payloads are shown in events and spans.
        tracing: Where spans go.
        dispatcher: Where the class of an agent is looked up for its spans.
    """

    def __init__(
        self,
        registry: SerializationRegistry,
        tracing: TraceHelper[Any, Any, Any],
        dispatcher: Dispatcher[Envelope],
    ) -> None:
        self._registry = registry
        self.tracing = tracing
        self._dispatcher = dispatcher
        self.was_tracing = False
        """Whether spans were seen at the start of the runtime: the short cut asks but then."""

    @property
    def is_tracing(self) -> bool:
        """Whether a span opened now would be seen."""
        return self.tracing.is_recording()

    @property
    def tells_events(self) -> bool:
        """Whether anybody listens to events."""
        return _events.isEnabledFor(logging.INFO)

    def link(self) -> Link | None:
        """What a message takes along of the current span, if spans are seen."""
        return link_to(get_current_span()) if self.is_tracing else None

    def creating(
        self, message: Any, receiver: AgentId | TopicId
    ) -> AbstractContextManager[object | None]:
        """The span in which a sender hands a message over."""
        if not self.is_tracing:
            return nullcontext()
        return self.tracing.block("create", receiver, self.create_attributes(message))

    def hand_over(self, message: Any, sender: AgentId | None, topic_id: TopicId) -> Link | None:
        """Report that a message is published on the short cut. Returns what it takes along."""
        if not self.was_tracing:
            self.sent(message, sender, topic_id)
            return None
        facts = self.create_attributes(message)
        with self.tracing.block("create", topic_id, facts) as span:
            self.sent(message, sender, topic_id)
        return link_to(span)

    def sending(self, envelope: DirectEnvelope) -> AbstractContextManager[object | None]:
        """The span of a direct delivery, its handler included."""
        if not self.is_tracing:
            return nullcontext()
        return self.tracing.block("send", envelope.recipient, {}, link=envelope.link)

    def publishing(self, envelope: PublishEnvelope) -> AbstractContextManager[object | None]:
        """The span in which a published message finds its recipients."""
        return self.tracing.block("publish", envelope.topic_id, {}, link=envelope.link)

    def processing(
        self, agent_id: AgentId, envelope: MessageEnvelope
    ) -> AbstractContextManager[object | None]:
        """The span of a handler."""
        if not self.is_tracing:
            return nullcontext()
        return SpanBlock(self.process_span(agent_id, envelope))

    def process_span(self, agent_id: AgentId, envelope: MessageEnvelope) -> Span:
        """Open the span of a handler, which is not made the current one."""
        facts = self.process_attributes(
            envelope.message,
            envelope.sender,
            agent_id,
            topic_id=envelope.topic_id if isinstance(envelope, PublishEnvelope) else None,
            message_id=envelope.message_id,
        )
        return self.tracing.start_span("process", agent_id, facts, link=envelope.link)

    def create_attributes(self, message: Any) -> dict[str, AttributeValue]:
        """What the span of handing a message over says of it."""
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
        """What the span of a handler says of its message."""
        context = (
            f'{{"sender": {quoted(str(sender))}, "topic_id": {quoted(str(topic_id))}, '
            f'"is_rpc": {"true" if topic_id is None else "false"}, '
            f'"message_id": {quoted(message_id)}}}'
        )
        return {
            **self._agent_attributes(_SENDER, sender),
            **self._agent_attributes(_RECIPIENT, agent_id),
            "message_context": context,
            "message": self._traced(message),
        }

    def answer_attributes(
        self, message: Any, sender: AgentId, recipient: AgentId | None
    ) -> dict[str, AttributeValue]:
        """What the span of an answer that reaches its asker says of it."""
        return {
            **self._agent_attributes(_SENDER, sender),
            **self._agent_attributes(_RECIPIENT, recipient),
            "message": self._traced(message),
        }

    @contextmanager
    def answering(self, envelope: AnswerEnvelope) -> Iterator[None]:
        """The span and the event of an answer that reaches its asker."""
        if not self.is_tracing:
            self._arrived(envelope)
            yield
            return
        attributes = self.answer_attributes(envelope.message, envelope.sender, envelope.recipient)
        with self.tracing.block("ack", envelope.recipient, attributes, link=envelope.link):
            self._arrived(envelope)
            yield

    def sent(self, message: Any, sender: AgentId | None, receiver: AgentId | TopicId) -> None:
        """A sender handed a message over."""
        if _logger.isEnabledFor(logging.INFO):
            tell(
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
        """A message is about to be given to a handler."""
        if _logger.isEnabledFor(logging.INFO):
            tell(_logger, logging.INFO, "%s reaches %s", type(message).__name__, agent_id)
        if _events.isEnabledFor(logging.INFO):
            kind = MessageKind.DIRECT if direct else MessageKind.PUBLISH
            receiver = agent_id if direct else None
            self._message_event(message, sender, receiver, kind, DeliveryStage.DELIVER)

    def answered(
        self, message: Any, sender: AgentId, recipient: AgentId | None, stage: DeliveryStage
    ) -> None:
        """A handler returned an answer, or the answer reached its asker."""
        if _events.isEnabledFor(logging.INFO):
            self._message_event(message, sender, recipient, MessageKind.RESPOND, stage)

    def dropped(self, envelope: Envelope) -> None:
        """An intervention handler dropped a message or an answer."""
        if not _events.isEnabledFor(logging.INFO):
            return
        receiver: AgentId | TopicId | None
        match envelope:
            case DirectEnvelope(recipient=receiver):
                kind = MessageKind.DIRECT
            case PublishEnvelope(topic_id=receiver):
                kind = MessageKind.PUBLISH
            case AnswerEnvelope(recipient=receiver):
                kind = MessageKind.RESPOND
        event = MessageDroppedEvent(
            payload=late_text(self._shown, envelope.message),
            sender=envelope.sender,
            receiver=receiver,
            kind=kind,
        )
        tell_event(_events, event)

    def failed(
        self, agent_id: AgentId, message: Any, error: BaseException, *, direct: bool
    ) -> None:
        """A handler raised; of a direct message the sender gets the error, and the log need not."""
        if not direct:
            tell(
                _logger,
                logging.ERROR,
                "Error processing publish message for %s",
                agent_id,
                exc_info=error,
            )
        if _events.isEnabledFor(logging.INFO):
            event = MessageHandlerExceptionEvent(
                payload=late_text(self._shown, message), handling_agent=agent_id, exception=error
            )
            tell_event(_events, event)

    def _arrived(self, envelope: AnswerEnvelope) -> None:
        self.answered(envelope.message, envelope.sender, envelope.recipient, DeliveryStage.DELIVER)

    def _message_event(
        self,
        message: Any,
        sender: AgentId | None,
        receiver: AgentId | TopicId | None,
        kind: MessageKind,
        stage: DeliveryStage,
    ) -> None:
        event = MessageEvent(
            payload=late_text(self._shown, message),
            sender=sender,
            receiver=receiver,
            kind=kind,
            delivery_stage=stage,
        )
        tell_event(_events, event)

    def _shown(self, message: Any) -> str:
        try:
            encoded = self._registry.serialize(
                message,
                type_name=self._registry.type_name(message),
                data_content_type=JSON_DATA_CONTENT_TYPE,
            )
            return encoded.decode("utf-8")
        except Exception:  # noqa: BLE001 - whatever ails a user's serializer, the message goes on
            return "Message could not be serialized"

    def _traced(self, message: Any) -> str:
        return "No Message" if message is None else self._shown(message)

    def _agent_attributes(
        self, names: tuple[str, str], agent_id: AgentId | None
    ) -> dict[str, AttributeValue]:
        if agent_id is None:
            return {}
        of_type, of_class = names
        agent = self._dispatcher.instance(agent_id)
        if agent is None:
            return {of_type: agent_id.type}
        return {of_type: agent_id.type, of_class: type(agent).__name__}
