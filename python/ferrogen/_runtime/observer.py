"""What others see of the runtime: events on AutoGen's loggers and spans. Nothing unless asked (B2).

The event logger gets one structured event for each stage of a message. A payload is encoded only
when that logger takes INFO records, and spans are opened only when a tracer records them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from ferrogen._core import AgentId, Dispatcher
from ferrogen._messaging.topic import TopicId
from ferrogen._serialization.registry import SerializationRegistry
from ferrogen._serialization.serializer import JSON_DATA_CONTENT_TYPE
from ferrogen._telemetry.loggers import EVENT_LOGGER_NAME, ROOT_LOGGER_NAME
from ferrogen._telemetry.propagation import EnvelopeMetadata, get_telemetry_envelope_metadata
from ferrogen._telemetry.tracing import TraceHelper
from ferrogen.logging import (
    DeliveryStage,
    MessageDroppedEvent,
    MessageEvent,
    MessageHandlerExceptionEvent,
    MessageKind,
)

from .envelope import AnswerEnvelope, DirectEnvelope, Envelope, MessageEnvelope, PublishEnvelope
from .telling import tell

__all__ = ["Observer"]

_logger = logging.getLogger(ROOT_LOGGER_NAME)
_events = logging.getLogger(EVENT_LOGGER_NAME)


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
        self._tracing = tracing
        self._dispatcher = dispatcher

    @property
    def is_tracing(self) -> bool:
        """Whether a span opened now would be seen."""
        return self._tracing.is_recording()

    def metadata(self) -> EnvelopeMetadata | None:
        """The current span in the form that travels with a message, if spans are seen."""
        return get_telemetry_envelope_metadata() if self.is_tracing else None

    def creating(
        self, message: Any, receiver: AgentId | TopicId
    ) -> AbstractContextManager[object | None]:
        """The span in which a sender hands a message over."""
        if not self.is_tracing:
            return nullcontext()
        return self._tracing.trace_block(
            "create",
            receiver,
            parent=None,
            extraAttributes={"message_type": type(message).__name__},
        )

    def sending(self, envelope: DirectEnvelope) -> AbstractContextManager[object | None]:
        """The span of a direct delivery, its handler included."""
        if not self.is_tracing:
            return nullcontext()
        return self._tracing.trace_block("send", envelope.recipient, parent=envelope.metadata)

    def publishing(self, envelope: PublishEnvelope) -> AbstractContextManager[object | None]:
        """The span in which a published message finds its recipients."""
        return self._tracing.trace_block("publish", envelope.topic_id, parent=envelope.metadata)

    def processing(
        self, agent_id: AgentId, envelope: MessageEnvelope
    ) -> AbstractContextManager[object | None]:
        """The span of a handler."""
        if not self.is_tracing:
            return nullcontext()
        context = {
            "sender": str(envelope.sender),
            "topic_id": str(envelope.topic_id if isinstance(envelope, PublishEnvelope) else None),
            "is_rpc": isinstance(envelope, DirectEnvelope),
            "message_id": envelope.message_id,
        }
        attributes = {
            **self._agent_attributes("sender", envelope.sender),
            **self._agent_attributes("recipient", agent_id),
            "message_context": json.dumps(context),
            "message": self._traced(envelope.message),
        }
        return self._tracing.trace_block(
            "process", agent_id, parent=envelope.metadata, attributes=attributes
        )

    @contextmanager
    def answering(self, envelope: AnswerEnvelope) -> Iterator[None]:
        """The span and the event of an answer that reaches its asker."""
        if not self.is_tracing:
            self.answered(envelope, DeliveryStage.DELIVER)
            yield
            return
        attributes = {
            **self._agent_attributes("sender", envelope.sender),
            **self._agent_attributes("recipient", envelope.recipient),
            "message": self._traced(envelope.message),
        }
        with self._tracing.trace_block(
            "ack", envelope.recipient, parent=envelope.metadata, attributes=attributes
        ):
            self.answered(envelope, DeliveryStage.DELIVER)
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

    def delivered(self, agent_id: AgentId, envelope: MessageEnvelope) -> None:
        """A message is about to be given to a handler."""
        if _logger.isEnabledFor(logging.INFO):
            tell(_logger, logging.INFO, "%s reaches %s", type(envelope.message).__name__, agent_id)
        if _events.isEnabledFor(logging.INFO):
            message, sender, stage = envelope.message, envelope.sender, DeliveryStage.DELIVER
            if isinstance(envelope, DirectEnvelope):
                self._message_event(message, sender, agent_id, MessageKind.DIRECT, stage)
            else:
                self._message_event(message, sender, None, MessageKind.PUBLISH, stage)

    def answered(self, envelope: AnswerEnvelope, stage: DeliveryStage) -> None:
        """A handler returned an answer, or the answer reached its asker."""
        if _events.isEnabledFor(logging.INFO):
            self._message_event(
                envelope.message, envelope.sender, envelope.recipient, MessageKind.RESPOND, stage
            )

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
        tell(
            _events,
            logging.INFO,
            MessageDroppedEvent(
                payload=self._shown(envelope.message),
                sender=envelope.sender,
                receiver=receiver,
                kind=kind,
            ),
        )

    def failed(self, agent_id: AgentId, envelope: MessageEnvelope, error: BaseException) -> None:
        """A handler raised."""
        if isinstance(envelope, PublishEnvelope):
            tell(
                _logger,
                logging.ERROR,
                "Error processing publish message for %s",
                agent_id,
                exc_info=error,
            )
        if _events.isEnabledFor(logging.INFO):
            tell(
                _events,
                logging.INFO,
                MessageHandlerExceptionEvent(
                    payload=self._shown(envelope.message), handling_agent=agent_id, exception=error
                ),
            )

    def _message_event(
        self,
        message: Any,
        sender: AgentId | None,
        receiver: AgentId | TopicId | None,
        kind: MessageKind,
        stage: DeliveryStage,
    ) -> None:
        tell(
            _events,
            logging.INFO,
            MessageEvent(
                payload=self._shown(message),
                sender=sender,
                receiver=receiver,
                kind=kind,
                delivery_stage=stage,
            ),
        )

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

    def _agent_attributes(self, role: str, agent_id: AgentId | None) -> dict[str, str]:
        if agent_id is None:
            return {}
        attributes = {f"{role}_agent_type": agent_id.type}
        agent = self._dispatcher.instance(agent_id)
        if agent is not None:
            attributes[f"{role}_agent_class"] = type(agent).__name__
        return attributes
