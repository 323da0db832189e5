"""A message that somebody looks at while it takes the short cut: what the log and the spans get.

The plain way tells an `Observer` as the message goes from task to task. On the short cut there is
one object a message, and it is told three times: when a sender hands the message over, when its
handler is about to begin, and when that has ended.
"""

from __future__ import annotations

from typing import Any

from opentelemetry import context as telemetry
from opentelemetry.trace import Span, SpanContext, set_span_in_context

from ferrogen._core import AgentId, MessageContext
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
            self._creating = observer.tracing.start_span(
                "create", recipient, extraAttributes={"message_type": type(message).__name__}
            )

    def begin(self, context: MessageContext) -> None:
        """Report that the handler is about to begin. Called in the handler's context."""
        if self._creating is None:
            self._delivered()
            return
        tracing, link = self._observer.tracing, _as_remote(self._creating)
        self._around = telemetry.get_current()
        self._sending = tracing.start_span("send", self._recipient, link=link)
        # No one undoes this: the context ends with the handler.
        telemetry.attach(set_span_in_context(self._sending))
        self._delivered()
        attributes = self._observer.process_attributes(
            self._message,
            self._sender,
            self._recipient,
            topic_id=None,
            message_id=context.message_id,
        )
        self._processing = tracing.start_span(
            "process", self._recipient, link=link, attributes=attributes
        )
        telemetry.attach(set_span_in_context(self._processing))

    def answered(self, answer: Any) -> None:
        """Report that the handler has answered, and that its answer reaches the sender."""
        observer, sender, recipient = self._observer, self._sender, self._recipient
        if self._creating is None:
            observer.answered(answer, recipient, sender, DeliveryStage.SEND)
            observer.answered(answer, recipient, sender, DeliveryStage.DELIVER)
            return
        tracing = observer.tracing
        tracing.end_span(self._processing)
        observer.answered(answer, recipient, sender, DeliveryStage.SEND)
        tracing.end_span(self._sending)
        arriving = tracing.start_span(
            "ack",
            sender,
            link=_as_remote(self._sending),
            context=self._around,
            attributes=observer.answer_attributes(answer, recipient, sender),
        )
        observer.answered(answer, recipient, sender, DeliveryStage.DELIVER)
        tracing.end_span(arriving)
        tracing.end_span(self._creating)

    def failed(self, error: BaseException) -> None:
        """Report that the handler has raised."""
        tracing = self._observer.tracing
        if self._creating is not None:
            tracing.end_span(self._processing, error)
        self._observer.failed(self._recipient, self._message, error, direct=True)
        if self._creating is not None:
            tracing.end_span(self._sending)
            tracing.end_span(self._creating, error)

    def _delivered(self) -> None:
        self._observer.delivered(self._recipient, self._message, self._sender, direct=True)


def _as_remote(span: Span) -> SpanContext:
    """A span as it looks from where a message takes it."""
    context = span.get_span_context()
    return SpanContext(
        context.trace_id,
        context.span_id,
        is_remote=True,
        trace_flags=context.trace_flags,
        trace_state=context.trace_state,
    )
