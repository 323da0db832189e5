"""A dead letter: a message that was not handled, and why."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any, TypeVar

from ferrogen._core import AgentId
from ferrogen.exceptions import (
    AgentNotFoundError,
    AgentStoppedError,
    CircuitOpenError,
    DeadlineExceededError,
    DeadlockError,
    HopLimitError,
    MailboxFullError,
    MessageCancelledError,
    MessageDroppedException,
    NoSubscriberError,
    RecipientNotFoundError,
    RuntimeStoppedError,
    UnhandledMessageError,
)
from ferrogen.messaging.topic import TopicId

ErrorT = TypeVar("ErrorT", bound=BaseException)

__all__ = ["DeadLetter", "DeadLetterCause", "ReplayReport", "cause_of", "without_traceback"]


class DeadLetterCause(str, Enum):
    """Why a message was not handled.

    Example:
        ```python
        from ferrogen import DeadLetterCause

        assert DeadLetterCause("handler_failed") is DeadLetterCause.HANDLER_FAILED
        ```
    """

    __module__ = "ferrogen"

    UNKNOWN_RECIPIENT = "unknown_recipient"
    """The agent type of the recipient is not registered."""
    NO_SUBSCRIBER = "no_subscriber"
    """The topic has no subscriber."""
    NO_HANDLER = "no_handler"
    """The recipient has no handler for the message."""
    MAILBOX_FULL = "mailbox_full"
    """The mailbox of the recipient is full, or was full, and the message was evicted."""
    DEADLOCK = "deadlock"
    """The message would have waited for itself."""
    EXPIRED = "expired"
    """The deadline of the message passed while it was queued, or while its handler ran."""
    CANCELLED = "cancelled"
    """The message was cancelled by `runtime.cancel` before its handler began."""
    HOP_LIMIT = "hop_limit"
    """Too many messages led to this one."""
    CIRCUIT_OPEN = "circuit_open"
    """The circuit breaker of the recipient's type is open."""
    AGENT_STOPPED = "agent_stopped"
    """The recipient has failed, and its supervision has stopped it."""
    DROPPED = "dropped"
    """An intervention handler has dropped the message."""
    REJECTED = "rejected"
    """An intervention handler has rejected the message with an error."""
    RUNTIME_STOPPED = "runtime_stopped"
    """The runtime stopped before a handler was called."""
    HANDLER_FAILED = "handler_failed"
    """The handler raised, in its last attempt."""
    BUILD_FAILED = "build_failed"
    """The recipient could not be built."""
    INTERCEPTION_FAILED = "interception_failed"
    """An intervention handler raised."""
    ROUTING_FAILED = "routing_failed"
    """A subscription raised."""
    UNDELIVERABLE = "undeliverable"
    """None of the above; the error has the reason."""


_CAUSES: tuple[tuple[type[Exception], DeadLetterCause], ...] = (
    (RecipientNotFoundError, DeadLetterCause.UNKNOWN_RECIPIENT),
    (AgentNotFoundError, DeadLetterCause.UNKNOWN_RECIPIENT),
    (NoSubscriberError, DeadLetterCause.NO_SUBSCRIBER),
    (UnhandledMessageError, DeadLetterCause.NO_HANDLER),
    (MailboxFullError, DeadLetterCause.MAILBOX_FULL),
    (DeadlineExceededError, DeadLetterCause.EXPIRED),
    (DeadlockError, DeadLetterCause.DEADLOCK),
    (MessageCancelledError, DeadLetterCause.CANCELLED),
    (HopLimitError, DeadLetterCause.HOP_LIMIT),
    (AgentStoppedError, DeadLetterCause.AGENT_STOPPED),
    (CircuitOpenError, DeadLetterCause.CIRCUIT_OPEN),
    (MessageDroppedException, DeadLetterCause.DROPPED),
    (RuntimeStoppedError, DeadLetterCause.RUNTIME_STOPPED),
)


def cause_of(error: Exception) -> DeadLetterCause:
    """Return the cause of a message that no handler got, by its error."""
    for kind, cause in _CAUSES:
        if isinstance(error, kind):
            return cause
    return DeadLetterCause.UNDELIVERABLE


def without_traceback(error: ErrorT) -> ErrorT:
    """Return a copy of an error without a traceback, which keeps the variables of its frames alive.

    An error that cannot be copied, because its class does not permit it, is returned itself.
    """
    try:
        copied = copy(error)
    except Exception:  # noqa: BLE001 - the constructor of the error may raise anything
        return error
    return copied if type(copied) is type(error) else error


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A message that was not handled.

    Args:
        message: The message itself.
        sender: The agent that sent it; `None` if it came from outside any agent.
        receiver: The agent that did not handle it, if it is known; otherwise the agent or the topic
            that it was addressed to.
        message_id: The id it was sent under, if it had one yet.
        reason: The exception that says why it was not handled, without a traceback.
        cause: The same in one word, to filter by.
        recipient: The agent that did not handle it, or to which it was sent; `None` if it was
            published and reached none.
        topic_id: The topic that it was published to; `None` if it was sent.
        attempts: How often a handler was called with it.
        path: The agents that were waiting for each other, of a deadlock; the agents that have sent
            the messages of a chain that is too long, and the recipient; otherwise empty.
        time: When it became a dead letter.

    Example:
        ```python
        import asyncio

        from ferrogen import AgentId, DeadLetterCause, SingleThreadedAgentRuntime
        from ferrogen.exceptions import RecipientNotFoundError


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            try:
                await runtime.send_message("hello", AgentId("unknown", "default"))
            except RecipientNotFoundError:
                pass
            letter = runtime.dead_letters[-1]
            assert letter.message == "hello"
            assert letter.recipient == AgentId("unknown", "default")
            assert letter.cause is DeadLetterCause.UNKNOWN_RECIPIENT


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen"

    message: Any
    sender: AgentId | None
    receiver: AgentId | TopicId
    message_id: str | None
    reason: Exception
    cause: DeadLetterCause
    recipient: AgentId | None = None
    topic_id: TopicId | None = None
    attempts: int = 0
    path: tuple[AgentId | TopicId, ...] = ()
    time: datetime = field(default_factory=_now)


@dataclass(frozen=True, kw_only=True)
class ReplayReport:
    """The outcome of dead letters that were replayed together.

    Example:
        ```python
        import asyncio

        from ferrogen import SingleThreadedAgentRuntime, TopicId


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            runtime.start()
            await runtime.publish_message("hello", TopicId("news", "today"))
            await runtime.stop_when_idle()
            report = await runtime.dead_letters.replay(runtime.dead_letters)
            assert (len(report.replayed), report.failed) == (1, ())
            await runtime.close()


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen"

    replayed: tuple[DeadLetter, ...]
    """The letters that are gone, because their messages were accepted."""

    failed: tuple[tuple[DeadLetter, Exception], ...]
    """The letters whose messages failed again, with their errors."""
