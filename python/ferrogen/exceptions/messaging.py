"""Exceptions of runtimes and messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .base import FerrogenError


class CantHandleException(FerrogenError):
    """An agent, a handler or a subscription cannot take what it was given."""


class UndeliverableException(FerrogenError):
    """A message cannot reach its recipient."""


class RecipientNotFoundError(UndeliverableException, LookupError):
    """A message was sent to an agent type that is not registered."""


class MailboxFullError(UndeliverableException):
    """The recipient's bounded mailbox has no room for another message.

    Args:
        message: The text of the error.
        recipient: The id of the recipient.
    """

    def __init__(self, message: str, *, recipient: Any = None) -> None:
        super().__init__(message)
        self.recipient = recipient


class DeadlineExceededError(UndeliverableException, TimeoutError):
    """A message was not handled before its deadline. A handler that had begun was cancelled."""


class MessageCancelledError(UndeliverableException):
    """A message was cancelled by `runtime.cancel` before its handler began."""


class HopLimitError(UndeliverableException, RuntimeError):
    """Too many messages led to this one: agents send to each other in a loop.

    Args:
        message: The text of the error.
        path: The ids of the agents that have sent the messages of the chain, then the recipient.
        max_hops: The limit.
    """

    def __init__(self, message: str, *, path: Sequence[Any] = (), max_hops: int = 0) -> None:
        super().__init__(message)
        self.path = tuple(path)
        self.max_hops = max_hops


class DeadlockError(UndeliverableException, RuntimeError):
    """A message would wait forever: its recipient awaits, directly or through others, its sender.

    Args:
        message: The text of the error.
        cycle: The ids of the agents, each of which awaits a response of the next one.
    """

    def __init__(self, message: str, *, cycle: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.cycle = tuple(cycle)


class NoSubscriberError(UndeliverableException):
    """A message was published to a topic without subscribers."""


class UnhandledMessageError(UndeliverableException):
    """An agent has no handler for the type of a message."""


class AgentStoppedError(UndeliverableException):
    """The recipient has failed, and its supervision has stopped it."""


class CircuitOpenError(UndeliverableException):
    """The circuit breaker of the recipient's agent type is open: its handlers keep failing.

    Args:
        message: The text of the error.
        agent_type: The agent type.
        failures: How many failed calls have opened the circuit breaker.
        retry_after: The seconds until messages are let through again; 0 if that depends on calls
            that are being tried at the moment.
    """

    def __init__(
        self, message: str, *, agent_type: str = "", failures: int = 0, retry_after: float = 0.0
    ) -> None:
        super().__init__(message)
        self.agent_type = agent_type
        self.failures = failures
        self.retry_after = retry_after


class RuntimeStoppedError(UndeliverableException):
    """The runtime stopped while the message was still waiting to be handled."""


class MessageDroppedException(FerrogenError):
    """An intervention handler dropped the message or its response."""


class ResponseTypeError(FerrogenError, TypeError):
    """An agent responded with another type than the sender expects."""


class StreamError(FerrogenError, RuntimeError):
    """A stream was requested of a handler that responds once, or the other way round."""


class SignalsNotSupportedError(FerrogenError, NotImplementedError):
    """Signals cannot be handled on this platform, on this event loop, or in this thread."""


class AttemptTimeoutError(FerrogenError, TimeoutError):
    """An attempt of a handler took longer than the `attempt_timeout` of its retry policy."""


class ReplayError(FerrogenError, RuntimeError):
    """A dead letter cannot be sent to the agent that it is for, and to no other one."""


class NotAccessibleError(FerrogenError):
    """An object cannot be reached from this process, for instance because it is remote."""


class AgentNotFoundError(FerrogenError, LookupError):
    """No agent is registered under this agent type."""


class StateError(FerrogenError, ValueError):
    """A saved state cannot be loaded: unknown version, wrong shape, or an unknown agent type."""


class StateStoreError(FerrogenError, RuntimeError):
    """The state of an agent cannot be loaded from its store, or saved there.

    Args:
        message: The text of the error. The cause is `__cause__`.
        agent_id: The agent, if it was the state of one.
    """

    def __init__(self, message: str, *, agent_id: Any = None) -> None:
        super().__init__(message)
        self.agent_id = agent_id
