"""Interventions: every handler sees what the one before it made of the message."""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ferrogen._messaging.intervention import DropMessage, InterventionHandler
from ferrogen._telemetry.tracing import TraceHelper

from .envelope import AnswerEnvelope, DirectEnvelope, Envelope, PublishEnvelope

__all__ = ["Interception"]

Look = Callable[[InterventionHandler, Any], Awaitable[Any]]


class Interception:
    """The chain of a runtime's intervention handlers.

    Args:
        handlers: The user's handlers, asked in this order. The list stays the user's: what is
            added to it later is asked too.
        tracing: Where each look of a handler gets its span.
    """

    def __init__(
        self, handlers: Sequence[InterventionHandler] | None, tracing: TraceHelper[Any, Any, Any]
    ) -> None:
        self._handlers = handlers if handlers is not None else ()
        self._tracing = tracing

    def __bool__(self) -> bool:
        return bool(self._handlers)

    async def revise(self, envelope: Envelope) -> bool:
        """Let every handler look at a message, which the envelope then holds as they leave it.

        Returns:
            Whether the message goes on; `False` if a handler dropped it.

        Raises:
            BaseException: Whatever a handler raises.
        """
        name, look = _look_of(envelope)
        for handler in self._handlers:
            if self._tracing.is_recording() and not isinstance(envelope, AnswerEnvelope):
                with self._tracing.block(
                    "intercept", type(handler).__name__, {}, link=envelope.link
                ):
                    revised = await look(handler, envelope.message)
            else:
                revised = await look(handler, envelope.message)
            if revised is DropMessage or isinstance(revised, DropMessage):
                return False
            if revised is None:
                warnings.warn(
                    f"Intervention handler {type(handler).__name__}.{name} returned None, which "
                    "leaves the message as it is. Return the message, or DropMessage to drop it.",
                    RuntimeWarning,
                    stacklevel=2,
                )
            else:
                envelope.message = revised
        return True


def _look_of(envelope: Envelope) -> tuple[str, Look]:
    match envelope:
        case DirectEnvelope(recipient=recipient):
            context = envelope.message_context()
            return "on_send", lambda handler, message: handler.on_send(
                message, message_context=context, recipient=recipient
            )
        case PublishEnvelope():
            context = envelope.message_context()
            return "on_publish", lambda handler, message: handler.on_publish(
                message, message_context=context
            )
        case AnswerEnvelope(sender=sender, recipient=asker):
            return "on_response", lambda handler, message: handler.on_response(
                message, sender=sender, recipient=asker
            )
