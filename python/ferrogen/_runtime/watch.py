"""A message that somebody looks at while it takes the short cut: what the log and the spans get.

The plain way tells an `Observer` as the message goes from task to task. On the short cut there is
one object a message, and it is told three times: when a sender hands the message over, when its
handler is about to begin, and when that has ended.
"""

from __future__ import annotations

from typing import Any

from opentelemetry import context as telemetry
from opentelemetry.trace import Link, Span, SpanContext, set_span_in_context
from opentelemetry.util.types import AttributeValue

from ferrogen._core import AgentId, MessageContext
from ferrogen._telemetry.tracing_config import MESSAGE_TYPE
from ferrogen.logging import DeliveryStage

from .observer import Observer

__all__ = ["Watch"]


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
        observer.sent(message, sender, recipient)
        self._creating: Span | None = None
        if observer.is_tracing:
            facts: dict[str, AttributeValue] = {MESSAGE_TYPE: type(message).__name__}
            self._creating = observer.tracing.start_span("create", recipient, facts)

    def begin(self, context: MessageContext) -> None:
        """Report that the handler is about to begin. Called in the handler's context."""
        if self._creating is None:
            self._delivered()
            return
        observer, recipient = self._observer, self._recipient
        start_span, link = observer.tracing.start_span, _link_to(self._creating)
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
        if self._creating is None:
            observer.answered(answer, recipient, sender, DeliveryStage.SEND)
            observer.answered(answer, recipient, sender, DeliveryStage.DELIVER)
            return
        self._processing.end()
        observer.answered(answer, recipient, sender, DeliveryStage.SEND)
        self._sending.end()
        facts = observer.answer_attributes(answer, recipient, sender)
        link = _link_to(self._sending)
        arriving = observer.tracing.start_span(
            "ack", sender, facts, link=link, context=self._around
        )
        observer.answered(answer, recipient, sender, DeliveryStage.DELIVER)
        arriving.end()
        self._creating.end()

    def failed(self, error: BaseException) -> None:
        """Report that the handler has raised."""
        tracing = self._observer.tracing
        if self._creating is not None:
            tracing.fail_span(self._processing, error)
        self._observer.failed(self._recipient, self._message, error, direct=True)
        if self._creating is not None:
            self._sending.end()
            tracing.fail_span(self._creating, error)

    def _delivered(self) -> None:
        self._observer.delivered(self._recipient, self._message, self._sender, direct=True)


def _link_to(span: Span) -> Link:
    """The link to a span from where its message has come to."""
    trace_id, span_id, _, flags, state, _ = span.get_span_context()
    return Link(SpanContext(trace_id, span_id, True, flags, state))
