"""Recording of dead letters: the message, its error, its recipient and its history."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ferrogen._core import AgentId, PublishEnvelope
from ferrogen.exceptions import DeadlockError, HopLimitError, MailboxFullError
from ferrogen.messaging.message_context import MessageContext
from ferrogen.messaging.topic import TopicId
from ferrogen.runtime.dead_letters.letter import (
    DeadLetter,
    DeadLetterCause,
    cause_of,
    without_traceback,
)
from ferrogen.runtime.dead_letters.store import DeadLetters
from ferrogen.runtime.failures.guards import Failure

__all__ = ["DeadLetterRecorder"]


class DeadLetterRecorder:
    """Adds dead letters to the store of a runtime.

    Args:
        letters: The store.
    """

    def __init__(self, letters: DeadLetters) -> None:
        self._letters = letters

    def message(
        self,
        message: Any,
        sender: AgentId | None,
        receiver: AgentId | TopicId,
        message_id: str | None,
        error: Exception,
        cause: DeadLetterCause | None = None,
    ) -> None:
        """A message was sent to an agent, or is to be published, and no handler got it."""
        self._add(
            DeadLetter(
                message=message,
                sender=sender,
                receiver=receiver,
                message_id=message_id,
                reason=error,
                cause=cause or cause_of(error),
                recipient=receiver if isinstance(receiver, AgentId) else None,
                topic_id=None if isinstance(receiver, AgentId) else receiver,
            )
        )

    def published(
        self,
        envelope: PublishEnvelope,
        error: Exception,
        *,
        cause: DeadLetterCause | None = None,
        recipient: AgentId | None = None,
    ) -> None:
        """A published message was not handled: by one recipient, if it is given."""
        receiver: AgentId | TopicId = envelope.topic_id if recipient is None else recipient
        self._add(
            DeadLetter(
                message=envelope.message,
                sender=envelope.sender,
                receiver=receiver,
                message_id=envelope.message_id,
                reason=error,
                cause=cause or cause_of(error),
                recipient=recipient or _recipient_of(error),
                topic_id=envelope.topic_id,
            )
        )

    def unhandled(
        self, message: Any, recipient: AgentId, ctx: MessageContext, error: Exception
    ) -> None:
        """An agent has no handler for a message."""
        self._add(
            DeadLetter(
                message=message,
                sender=ctx.sender,
                receiver=recipient,
                message_id=ctx.message_id,
                reason=error,
                cause=cause_of(error),
                recipient=recipient,
                topic_id=ctx.topic_id,
            )
        )

    def failed(self, failure: Failure) -> None:
        """A guarded handler has failed in its last attempt, or was not called."""
        self._add(
            DeadLetter(
                message=failure.message,
                sender=failure.context.sender,
                receiver=failure.agent_id,
                message_id=failure.context.message_id,
                reason=failure.error,
                cause=(
                    cause_of(failure.error)
                    if failure.is_rejection
                    else DeadLetterCause.HANDLER_FAILED
                ),
                recipient=failure.agent_id,
                topic_id=failure.context.topic_id,
                attempts=failure.attempts,
            )
        )

    def handler_failed(
        self, envelope: PublishEnvelope, recipient: AgentId, error: Exception, *, is_late: bool
    ) -> None:
        """A handler of a published message has raised, or was cancelled at the deadline."""
        self._add(
            DeadLetter(
                message=envelope.message,
                sender=envelope.sender,
                receiver=recipient,
                message_id=envelope.message_id,
                reason=error,
                cause=DeadLetterCause.EXPIRED if is_late else DeadLetterCause.HANDLER_FAILED,
                recipient=recipient,
                topic_id=envelope.topic_id,
                attempts=1,
            )
        )

    def _add(self, letter: DeadLetter) -> None:
        if letter.cause is DeadLetterCause.RUNTIME_STOPPED and isinstance(
            letter.message, DeadLetter
        ):
            return  # a letter that is stored, and whose publication was queued
        reason = without_traceback(letter.reason)
        self._letters.add(replace(letter, reason=reason, path=_path_of(letter)))


def _path_of(letter: DeadLetter) -> tuple[AgentId | TopicId, ...]:
    error = letter.reason
    if letter.cause is DeadLetterCause.DEADLOCK and isinstance(error, DeadlockError):
        return error.cycle
    if letter.cause is DeadLetterCause.HOP_LIMIT and isinstance(error, HopLimitError):
        return error.path
    return ()


def _recipient_of(error: Exception) -> AgentId | None:
    found: AgentId | None = None
    if isinstance(error, MailboxFullError):
        found = error.recipient
    elif isinstance(error, DeadlockError) and error.cycle:
        found = error.cycle[-1]
    return found
