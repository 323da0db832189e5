"""Settlement: every message ends once (L1), its waiter is told, and idleness is noticed (L2)."""

from __future__ import annotations

import asyncio
from typing import Any

from ferrogen._core import AgentId, Dispatcher, Outcome
from ferrogen._messaging.topic import TopicId

from .dead_letters import DeadLetter, DeadLetters
from .envelope import AnswerEnvelope, DirectEnvelope, Envelope, PublishEnvelope

__all__ = ["Settlement", "fail"]


def fail(future: asyncio.Future[Any], error: BaseException) -> None:
    """End a future with an error, unless it has ended.

    A cancellation is no different: who waits gets the very error that was raised.
    """
    if not future.done():
        future.set_exception(error)


class Settlement:
    """Ends messages, in the dispatcher and towards whoever waits.

    Args:
        dispatcher: Where tickets are open until they are ended.
        dead_letters: Where undeliverable messages go.
    """

    def __init__(self, dispatcher: Dispatcher[Envelope], dead_letters: DeadLetters) -> None:
        self._dispatcher = dispatcher
        self._dead_letters = dead_letters
        self._idle_waiters: set[asyncio.Future[None]] = set()

    def answered(self, ticket: int, envelope: AnswerEnvelope) -> None:
        """End a message whose answer goes to its sender."""
        if not envelope.answer.done():
            envelope.answer.set_result(envelope.message)
        self.end(ticket, Outcome.ANSWERED)

    def failed(self, ticket: int, envelope: Envelope, error: BaseException) -> None:
        """End a message that no handler is working on, because something raised."""
        self.refuse(envelope, error)
        self.end(ticket, Outcome.FAILED)

    def dropped(self, ticket: int, envelope: Envelope, error: Exception) -> None:
        """End a message that an intervention handler dropped."""
        self.refuse(envelope, error)
        self.end(ticket, Outcome.DROPPED)

    def undeliverable(self, ticket: int, envelope: Envelope, reason: Exception) -> None:
        """End a message that reaches nobody; it becomes a dead letter."""
        if isinstance(envelope, AnswerEnvelope):
            self.answered(ticket, envelope)  # its handler is done; only the way back is left
            return
        self.refuse(envelope, reason)
        self.keep(envelope, self._receiver(envelope), reason)
        self.end(ticket, Outcome.DEAD_LETTERED)

    def keep(
        self,
        envelope: DirectEnvelope | PublishEnvelope,
        receiver: AgentId | TopicId,
        reason: Exception,
    ) -> None:
        """Keep a message as a dead letter, without ending it."""
        self._dead_letters.add(
            DeadLetter(
                message=envelope.message,
                sender=envelope.sender,
                receiver=receiver,
                message_id=envelope.message_id,
                reason=reason,
            )
        )

    def refuse(self, envelope: Envelope, error: BaseException) -> None:
        """Give the waiting sender, if there is one, an error for an answer."""
        if not isinstance(envelope, PublishEnvelope):
            fail(envelope.answer, error)

    def end(self, ticket: int, outcome: Outcome) -> None:
        """End a ticket for which no handler is running."""
        self._dispatcher.end(ticket, outcome)
        self.notice()

    def notice(self) -> None:
        """Wake those who wait for idleness, if it has come about."""
        if self._idle_waiters and self._dispatcher.idle:
            for waiter in self._idle_waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def idle(self) -> None:
        """Wait until nothing waits and no handler runs."""
        while not self._dispatcher.idle:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle_waiters.add(waiter)
            try:
                await waiter
            finally:
                self._idle_waiters.discard(waiter)

    @staticmethod
    def _receiver(envelope: DirectEnvelope | PublishEnvelope) -> Any:
        return envelope.recipient if isinstance(envelope, DirectEnvelope) else envelope.topic_id
