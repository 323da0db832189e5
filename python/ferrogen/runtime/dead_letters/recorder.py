"""Recording of dead letters, and their publication to agents that subscribe to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ferrogen._core import AgentId, Engine, PublishEnvelope, Routes
from ferrogen.exceptions import DeadlockError, HopLimitError, MailboxFullError, RuntimeStoppedError
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

__all__ = ["DEAD_LETTER_TOPIC", "DeadLetterPublisher", "DeadLetterRecorder"]


DEAD_LETTER_TOPIC = TopicId("ferrogen.dead_letters", "default")
"""The topic that dead letters are published to, if the runtime has `publish_dead_letters=True`."""


class DeadLetterPublisher:
    """Publishes dead letters to `DEAD_LETTER_TOPIC`.

    These are only stored: letters with a dead letter as their message, letters whose sender
    subscribes to dead letters (both would lead to further ones, without end), and letters of a
    runtime that stops, has halted or is closed.

    Args:
        routes: The subscriptions of the runtime.
        engine: Publishes.
    """

    def __init__(self, routes: Routes, engine: Engine) -> None:
        self._routes = routes
        self._engine = engine

    def __call__(self, letter: DeadLetter) -> None:
        """Publish a letter, if it is one that is published and there is a subscriber."""
        if isinstance(letter.message, DeadLetter):
            return
        if letter.cause is DeadLetterCause.RUNTIME_STOPPED:
            return
        recipients = self._routes.recipients(DEAD_LETTER_TOPIC)
        if not recipients or letter.sender in recipients:
            return
        # Its first step accepts the message, so that the runtime is not idle before it is handled.
        publishing = self._engine.publish_message(letter, DEAD_LETTER_TOPIC)
        try:
            publishing.send(None)
        except (StopIteration, RuntimeStoppedError):
            return
        publishing.close()
        raise RuntimeError("publishing a dead letter has suspended")


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
