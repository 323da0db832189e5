"""Envelopes: a message with what the runtime must know to deliver it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, TypeAlias

from opentelemetry.trace import Link

from ferrogen._core import AgentId, CancellationToken, PublishEnvelope
from ferrogen._messaging.message_context import MessageContext

__all__ = ["AnswerEnvelope", "DirectEnvelope", "Envelope", "MessageEnvelope", "PublishEnvelope"]


@dataclass(slots=True, eq=False)
class DirectEnvelope:
    """A message to one agent, whose sender waits for the answer."""

    message: Any
    recipient: AgentId
    sender: AgentId | None
    cancellation_token: CancellationToken
    message_id: str
    answer: asyncio.Future[Any]
    link: Link | None = None

    def message_context(self) -> MessageContext:
        """Make the context that handlers and interventions see."""
        return MessageContext(
            sender=self.sender,
            topic_id=None,
            is_rpc=True,
            cancellation_token=self.cancellation_token,
            message_id=self.message_id,
        )


@dataclass(slots=True, eq=False)
class AnswerEnvelope:
    """What a handler returned, on its way back to the sender of the message."""

    message: Any
    sender: AgentId
    recipient: AgentId | None
    answer: asyncio.Future[Any]
    link: Link | None = None


MessageEnvelope: TypeAlias = DirectEnvelope | PublishEnvelope
Envelope: TypeAlias = DirectEnvelope | PublishEnvelope | AnswerEnvelope
