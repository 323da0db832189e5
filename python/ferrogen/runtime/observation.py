"""Observations of single messages: the events and spans of a message that is logged or traced.

The engine creates one for each message that is sent, one for each message that is published, and
one for each delivery of a published message, if a listener is configured (B2).
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from opentelemetry import context as telemetry
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, set_span_in_context, use_span

from ferrogen._core import AgentId, MessageContext, PublishEnvelope
from ferrogen.logging import DeliveryStage
from ferrogen.messaging.topic import TopicId
from ferrogen.runtime.observer import Observer
from ferrogen.telemetry.propagation import link_to
from ferrogen.telemetry.tracing import fail_span

__all__ = ["DeliveryObservation", "Publication", "SendObservation"]


class SendObservation:
    """Reports one message that is sent. Created in the sender's context.

    Args:
        observer: Where to report.
        message: The message.
        sender: The agent that sends it, or None from outside.
        recipient: The agent it is sent to.
    """

    __slots__ = (
        "_around",
        "_attributes",
        "_creating",
        "_is_running",
        "_message",
        "_observer",
        "_processing",
        "_recipient",
        "_sender",
        "_sending",
    )

    def __init__(
        self, observer: Observer, message: Any, sender: AgentId | None, recipient: AgentId
    ) -> None:
        self._observer = observer
        self._message = message
        self._sender = sender
        self._recipient = recipient
        self._creating: Span | None = None
        self._sending: Span | None = None
        self._processing: Span | None = None
        self._is_running = False
        observer.sent(message, sender, recipient)
        if observer.is_traced:
            attributes = observer.create_attributes(message)
            self._creating = observer.tracing.start_span("create", recipient, attributes)

    @property
    def link(self) -> Link | None:
        """The span in which the message was sent."""
        return None if self._creating is None else link_to(self._creating)

    def begin(self, context: MessageContext) -> None:
        """Report that the handler is about to begin. Called in the handler's context."""
        self._is_running = True
        observer, recipient = self._observer, self._recipient
        if self._creating is None:
            observer.delivered(recipient, self._message, self._sender, direct=True)
            return
        start_span, link = observer.tracing.start_span, link_to(self._creating)
        self._around = around = telemetry.get_current()
        self._sending = start_span("send", recipient, {}, link=link, context=around)
        inside = set_span_in_context(self._sending, around)
        # Never detached: the context ends with the handler.
        if observer.logs_deliveries:
            telemetry.attach(inside)
            observer.delivered(recipient, self._message, self._sender, direct=True)
        self._attributes = attributes = observer.process_attributes(
            self._message, self._sender, recipient, topic_id=None, message_id=context.message_id
        )
        self._processing = start_span("process", recipient, attributes, link=link, context=inside)
        telemetry.attach(set_span_in_context(self._processing, inside))

    def handled(self, response: Any) -> None:
        """Report that the handler has ended."""
        self._is_running = False
        observer, sender, recipient = self._observer, self._sender, self._recipient
        if self._sending is None or self._processing is None:
            observer.responded(response, recipient, sender, DeliveryStage.SEND)
            return
        self._processing.end()
        if observer.logs_events:
            with use_span(self._sending):
                observer.responded(response, recipient, sender, DeliveryStage.SEND)
        self._sending.end()

    def responded(self, response: Any) -> None:
        """Report that the response has reached the sender."""
        observer, sender, recipient = self._observer, self._sender, self._recipient
        if self._creating is None or self._sending is None:
            observer.responded(response, recipient, sender, DeliveryStage.DELIVER)
            return
        attributes = observer.response_attributes(response, sender, self._attributes)
        arriving = observer.tracing.start_span(
            "ack", sender, attributes, link=link_to(self._sending), context=self._around
        )
        if observer.logs_events:
            with use_span(arriving):
                observer.responded(response, recipient, sender, DeliveryStage.DELIVER)
        arriving.end()
        self._creating.end()

    def failed(self, error: BaseException) -> None:
        """Report that the handler has raised, or that message or response go no further."""
        if self._is_running:
            if self._processing is not None:
                fail_span(self._processing, error)
            ending = self._sending
            with nullcontext() if ending is None else use_span(ending, end_on_exit=True):
                self._observer.failed(self._recipient, self._message, error, direct=True)
        if self._creating is not None:
            fail_span(self._creating, error)


class Publication:
    """Reports one message that is published. Created in the publisher's context.

    Its span ends after the spans of its deliveries.

    Args:
        observer: Where to report.
        message: The message.
        sender: The agent that publishes it, or None from outside.
        topic_id: The topic.
    """

    __slots__ = ("_is_routed", "_observer", "_open", "_span", "_topic_id", "context", "link")

    def __init__(
        self, observer: Observer, message: Any, sender: AgentId | None, topic_id: TopicId
    ) -> None:
        self._observer = observer
        self._topic_id = topic_id
        self._span: Span | None = None
        self._open = 0
        self._is_routed = False
        self.context: Context | None = None
        """The context of its deliveries, with its span as the current one."""
        self.link: Link | None = None
        """The span in which the message was published."""
        if not observer.is_traced:
            observer.sent(message, sender, topic_id)
            return
        attributes = observer.create_attributes(message)
        with observer.tracing.block("create", topic_id, attributes) as span:
            observer.sent(message, sender, topic_id)
        self.link = link_to(span)

    def routing(self) -> None:
        """Report that the recipients are about to be determined."""
        if self._observer.is_traced:
            # A copy, since an intervention handler may have left the context entered.
            around = self._observer.runtime_context.copy().run(telemetry.get_current)
            self._span = self._observer.tracing.start_span(
                "publish", self._topic_id, {}, link=self.link, context=around
            )
            self.context = set_span_in_context(self._span, around)

    def routed(self) -> None:
        """Report that there will be no more deliveries."""
        self._is_routed = True
        self._end_if_done()

    def delivery_began(self) -> None:
        """Count a delivery."""
        self._open += 1

    def delivery_ended(self) -> None:
        """Count the end of a delivery, after what it has reported."""
        self._open -= 1
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._is_routed and self._open == 0 and self._span is not None:
            self._span.end()
            self._span = None


class DeliveryObservation:
    """Reports one delivery of a message that is published.

    Args:
        observer: Where to report.
        agent_id: The recipient.
        envelope: The message.
    """

    __slots__ = ("_agent_id", "_envelope", "_observer", "_processing", "_publication")

    def __init__(self, observer: Observer, agent_id: AgentId, envelope: PublishEnvelope) -> None:
        self._observer = observer
        self._agent_id = agent_id
        self._envelope = envelope
        self._processing: Span | None = None
        self._publication: Publication = envelope.observer

    def begin(self, _context: MessageContext) -> None:
        """Report that the handler is about to begin. Called in the handler's context."""
        envelope, publication = self._envelope, self._publication
        if publication.context is not None:
            # Never detached: the context ends with the handler.
            telemetry.attach(publication.context)
        self._observer.delivered(self._agent_id, envelope.message, envelope.sender, direct=False)
        if publication.context is None:
            return
        attributes = self._observer.process_attributes(
            envelope.message,
            envelope.sender,
            self._agent_id,
            topic_id=envelope.topic_id,
            message_id=envelope.message_id,
        )
        self._processing = self._observer.tracing.start_span(
            "process", self._agent_id, attributes, link=publication.link
        )
        telemetry.attach(set_span_in_context(self._processing))

    def handled(self, _value: Any) -> None:
        """Report that the handler has ended."""
        if self._processing is not None:
            self._processing.end()

    def failed(self, error: BaseException) -> None:
        """Report that the handler has raised; the host logs it."""
        if self._processing is not None:
            fail_span(self._processing, error)
