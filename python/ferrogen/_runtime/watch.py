"""A message that somebody looks at while it takes the short cut: what the log and the spans get.

The plain way tells an `Observer` as the message goes from task to task. On the short cut there is
one object a message that is sent, and it is told three times: when a sender hands the message over,
when its handler is about to begin, and when that has ended. There is one for each recipient of a
message that is published.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from opentelemetry import context as telemetry
from opentelemetry.trace import Span, set_span_in_context, use_span

from ferrogen._core import AgentId, MessageContext
from ferrogen._telemetry.propagation import link_to
from ferrogen._telemetry.tracing import fail_span
from ferrogen.logging import DeliveryStage

from .envelope import PublishEnvelope
from .observer import Observer

__all__ = ["Hearing", "Watch"]


class Watch:
    """Reports one message that was sent. Made in the sender's context.

    Args:
        observer: Knows what is reported.
        message: The message.
        sender: The agent that sends it, if an agent does.
        recipient: The agent it goes to.
    """

    __slots__ = (
        "_around",
        "_creating",
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
        observer.sent(message, sender, recipient)
        if observer.was_tracing:
            facts = observer.create_attributes(message)
            self._creating = observer.tracing.start_span("create", recipient, facts)

    def begin(self, context: MessageContext) -> None:
        """Report that the handler is about to begin. Called in the handler's context."""
        if self._creating is None:
            self._delivered()
            return
        observer, recipient = self._observer, self._recipient
        start_span, link = observer.tracing.start_span, link_to(self._creating)
        self._around = around = telemetry.get_current()
        self._sending = start_span("send", recipient, {}, link=link, context=around)
        inside = set_span_in_context(self._sending, around)
        # No one undoes this: the context ends with the handler.
        telemetry.attach(inside)
        self._delivered()
        facts = observer.process_attributes(
            self._message, self._sender, recipient, topic_id=None, message_id=context.message_id
        )
        self._processing = start_span("process", recipient, facts, link=link, context=inside)
        telemetry.attach(set_span_in_context(self._processing, inside))

    def answered(self, answer: Any) -> None:
        """Report that the handler has answered, and that its answer reaches the sender."""
        observer, sender, recipient = self._observer, self._sender, self._recipient
        if self._creating is None or self._sending is None or self._processing is None:
            observer.answered(answer, recipient, sender, DeliveryStage.SEND)
            observer.answered(answer, recipient, sender, DeliveryStage.DELIVER)
            return
        self._processing.end()
        if observer.tells_events:
            with use_span(self._sending):
                observer.answered(answer, recipient, sender, DeliveryStage.SEND)
        self._sending.end()
        facts = observer.answer_attributes(answer, recipient, sender)
        link = link_to(self._sending)
        arriving = observer.tracing.start_span(
            "ack", sender, facts, link=link, context=self._around
        )
        if observer.tells_events:
            with use_span(arriving):
                observer.answered(answer, recipient, sender, DeliveryStage.DELIVER)
        arriving.end()
        self._creating.end()

    def failed(self, error: BaseException) -> None:
        """Report that the handler has raised, or could not begin."""
        if self._processing is not None:
            fail_span(self._processing, error)
        with nullcontext() if self._sending is None else use_span(self._sending, end_on_exit=True):
            self._observer.failed(self._recipient, self._message, error, direct=True)
        if self._creating is not None:
            fail_span(self._creating, error)

    def _delivered(self) -> None:
        self._observer.delivered(self._recipient, self._message, self._sender, direct=True)


class Hearing:
    """Reports what one agent does with a message that was published.

    Args:
        observer: Knows what is reported.
        agent_id: The agent.
        envelope: The message.
    """

    __slots__ = ("_agent_id", "_envelope", "_observer", "_processing")

    def __init__(self, observer: Observer, agent_id: AgentId, envelope: PublishEnvelope) -> None:
        self._observer = observer
        self._agent_id = agent_id
        self._envelope = envelope
        self._processing: Span | None = None

    def begin(self, _context: MessageContext) -> None:
        """Report that the handler is about to begin. Called in the handler's context."""
        published_in = self._envelope.context
        if published_in is None:
            self._delivered()
            return
        # No one undoes this: the context ends with the handler.
        telemetry.attach(published_in.run(telemetry.get_current))
        self._delivered()
        self._processing = self._observer.process_span(self._agent_id, self._envelope)
        telemetry.attach(set_span_in_context(self._processing))

    def answered(self, _answer: Any) -> None:
        """Report that the handler has ended."""
        if self._processing is not None:
            self._processing.end()

    def failed(self, error: BaseException) -> None:
        """Report that the handler has raised, or could not begin; others tell the log."""
        if self._processing is not None:
            fail_span(self._processing, error)

    def _delivered(self) -> None:
        envelope = self._envelope
        self._observer.delivered(self._agent_id, envelope.message, envelope.sender, direct=False)
