"""The host of the engine: its Python side."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Literal

from opentelemetry import context as telemetry

from ferrogen._core import AgentId, PublishEnvelope, Send
from ferrogen.agents.routed import RoutedAgent
from ferrogen.exceptions import (
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
from ferrogen.logging import MessageKind
from ferrogen.messaging.message_context import MessageContext
from ferrogen.messaging.topic import TopicId
from ferrogen.runtime.dead_letters.letter import DeadLetterCause
from ferrogen.runtime.dead_letters.recorder import DeadLetterRecorder
from ferrogen.runtime.entry_points import EntryPoint, Invoke, entry_point_of
from ferrogen.runtime.failures.guards import Guards
from ferrogen.runtime.instances.agent_table import AgentTable, not_registered
from ferrogen.runtime.instances.building import Builder
from ferrogen.runtime.instances.passivation import Passivator
from ferrogen.runtime.lifecycle.lifecycle import Lifecycle
from ferrogen.runtime.log import log
from ferrogen.runtime.observation import DeliveryObservation, Publication, SendObservation
from ferrogen.runtime.observer import Observer
from ferrogen.runtime.protocols import Agent
from ferrogen.telemetry.names import ROOT_LOGGER_NAME

__all__ = ["EngineHost"]

_logger = logging.getLogger(ROOT_LOGGER_NAME)

# asyncio treats instances of this class as coroutines.
Coroutine.register(Send)

_KINDS = {
    "direct": MessageKind.DIRECT,
    "published": MessageKind.PUBLISH,
    "response": MessageKind.RESPOND,
}


class EngineHost:
    """The Python side of the engine.

    Args:
        agents: The factories and options by agent type.
        builder: Builds agents.
        passivator: Saves and closes idle agents.
        lifecycle: Is notified of messages, idleness and errors.
        observer: Reports messages that are logged or traced.
        dead_letters: Where messages go that are not handled.
        guards: Call the handlers of types with options of failures.
    """

    def __init__(
        self,
        *,
        agents: AgentTable,
        builder: Builder,
        passivator: Passivator,
        lifecycle: Lifecycle,
        observer: Observer,
        dead_letters: DeadLetterRecorder,
        guards: Guards,
    ) -> None:
        self._agents = agents
        self._guards = guards
        self.retrying = guards.retrying
        self._observer = observer
        self._dead_letters = dead_letters
        self.add_dead_letter = dead_letters.message
        self._unhandled = lifecycle.unhandled
        # The last error of a published message. `publish_failed` gets it next, if the handler was
        # cancelled for it; no handler can raise it.
        self._topic_deadline: DeadlineExceededError | None = None
        self._warned: set[tuple[str, type[Any]]] = set()
        self.enter = lifecycle.enter
        self.wake = lifecycle.notify_message
        self.notify_idle = lifecycle.notify_idle
        self.notify_interception = lifecycle.notify_interception
        self._lifecycle = lifecycle
        self.build_inline = builder.build_inline
        self.start_build = builder.start
        self.passivate = passivator.begin
        self.observe_send = partial(SendObservation, observer)
        self.observe_publish = partial(Publication, observer)
        self.observe_delivery = partial(DeliveryObservation, observer)

    # Agents.

    def may_passivate(self) -> bool:
        """Whether idle agents may leave: `close` closes all that are there."""
        return not self._lifecycle.is_closed

    def is_registered(self, agent_id: AgentId) -> bool:
        """Whether there is a factory or an instance of the agent's type."""
        return self._agents.is_registered(agent_id.type)

    def entry_point(self, agent: Agent) -> EntryPoint | Invoke:
        """Return the entry point of an agent. Called once for each agent."""
        found = entry_point_of(agent)
        # An agent may have an `id` of its own; the one it is bound to is another attribute.
        agent_id = getattr(agent, "_id", None) or getattr(agent, "id", None)
        if agent_id is None:
            return found
        return self._guards.guard(agent_id.type) or found

    # Errors of messages that reach no handler.

    def recipient_not_found(
        self, message: Any, recipient: AgentId, sender: AgentId | None, message_id: str | None
    ) -> RecipientNotFoundError:
        """Create the error of a message to an unregistered type, and add a dead letter."""
        error = RecipientNotFoundError(
            f'Recipient not found: agent type "{recipient.type}" is not registered, so '
            f"{type(message).__name__} cannot be delivered to {recipient}"
        )
        self.add_dead_letter(message, sender, recipient, message_id, error)
        return error

    def mailbox_full(self, recipient: AgentId, message: Any) -> MailboxFullError:
        """Create the error of a message that a full mailbox rejects or drops."""
        options = self._agents.options(recipient.type)
        verb = "rejected" if options.overflow == "reject" else "dropped"
        return MailboxFullError(
            f"mailbox of {recipient} is full (capacity {options.capacity}, overflow "
            f'"{options.overflow}"); message {type(message).__name__} was {verb}',
            recipient=recipient,
        )

    def withdrawn(self, recipient: AgentId, message: Any) -> MailboxFullError:
        """Create the error of a message whose sender has stopped waiting for room."""
        capacity = self._agents.options(recipient.type).capacity
        return MailboxFullError(
            f"mailbox of {recipient} is full (capacity {capacity}, "
            f'overflow "wait"); the sender of message {type(message).__name__} stopped waiting for '
            "room, and the message was withdrawn",
            recipient=recipient,
        )

    def deadlock(self, cycle: list[AgentId], message: Any) -> DeadlockError:
        """Create the error of a message that would wait for itself."""
        ring = " -> ".join(str(agent_id) for agent_id in cycle)
        return DeadlockError(
            f"message {type(message).__name__} to {cycle[-1]} would wait forever: {ring}. Each of "
            "these agents awaits a response of the next one, or room in its mailbox, and handles "
            "no other message meanwhile (option concurrency)",
            cycle=tuple(cycle),
        )

    def hop_limit(
        self,
        message: Any,
        sender: AgentId | None,
        to: AgentId | TopicId,
        message_id: str | None,
        path: list[AgentId],
        max_hops: int,
    ) -> HopLimitError:
        """Create the error of a message with too many before it, and add a dead letter."""
        kind = type(message).__name__
        shown = " -> ".join(str(one) for one in [*path[:_MOST_SHOWN], to])
        if len(path) > _MOST_SHOWN:
            shown = shown.removesuffix(str(to)) + f"... -> {path[-1]} -> {to}"
        error = HopLimitError(
            f"message {kind} to {to} is one too many in a chain of at most {max_hops} "
            f"(max_hops): {shown}. End the loop between these agents, or allow more hops",
            path=(*path, to),
            max_hops=max_hops,
        )
        self.add_dead_letter(message, sender, to, message_id, error)
        return error

    def cancelled(self, message: Any, to: AgentId | TopicId) -> MessageCancelledError:
        """Create the error of a message that was cancelled before its handler began."""
        return MessageCancelledError(
            f"message {type(message).__name__} to {to} was cancelled before a handler began, by "
            "runtime.cancel"
        )

    def stopped(self, reason: str) -> RuntimeStoppedError:
        """Create the error of a message that was not handled before the runtime stopped."""
        return RuntimeStoppedError(reason)

    def deadline_exceeded(self, message: Any, to: AgentId | TopicId) -> DeadlineExceededError:
        """Create the error of a message that was not handled before its deadline."""
        kind = type(message).__name__
        error = DeadlineExceededError(
            f"the deadline of message {kind} to {to} passed before it was handled; give it more "
            "time (timeout=), or find out what its agents wait for"
        )
        if isinstance(to, TopicId):
            self._topic_deadline = error
        return error

    def dropped(
        self,
        message: Any,
        sender: AgentId | None,
        receiver: AgentId | TopicId | None,
        kind: Literal["direct", "published", "response"],
        given: Exception | None = None,
    ) -> Exception:
        """Return the error of a message that an intervention handler has dropped; log the event.

        Args:
            message: The message, or the response.
            sender: The agent that sent it.
            receiver: The agent or topic that does not get it.
            kind: How it was sent.
            given: The error, if the intervention handler has given one.
        """
        self._observer.dropped(message, sender, receiver, _KINDS[kind])
        what = "response" if kind == "response" else "message"
        error = given or MessageDroppedException(f"an intervention handler dropped the {what}")
        if kind != "response" and receiver is not None:
            cause = None if given is None else DeadLetterCause.REJECTED
            self.add_dead_letter(message, sender, receiver, None, error, cause)
        return error

    def undelivered(self, envelope: PublishEnvelope, error: Exception) -> None:
        """Add a dead letter of a published message."""
        self._dead_letters.published(envelope, error)

    def unhandled_message(self, agent: RoutedAgent, message: Any, ctx: MessageContext) -> None:
        """Add a dead letter of a message without a matching handler; warn once for each kind."""
        agent_id, message_type = agent.id, type(message)
        reason = _why_unhandled(agent, message_type, ctx)
        error = UnhandledMessageError(
            f"agent {agent_id} ({type(agent).__name__}) does not handle message "
            f"{message_type.__name__}: {reason}"
        )
        self._dead_letters.unhandled(message, agent_id, ctx, error)
        self._warn_once((agent_id.type, message_type), "%s; it is a dead letter", error)

    def _warn_once(self, kind: tuple[str, type[Any]], text: str, *arguments: object) -> None:
        if kind not in self._warned and len(self._warned) < _MOST_WARNINGS:
            self._warned.add(kind)
            log(_logger, logging.WARNING, text, *arguments)

    def no_subscribers(self, envelope: PublishEnvelope) -> None:
        """Add a dead letter of a message without subscribers; warn once for each kind."""
        topic_id: TopicId = envelope.topic_id
        name = type(envelope.message).__name__
        self.undelivered(
            envelope, NoSubscriberError(f"topic {topic_id} has no subscriber for message {name}")
        )
        self._warn_once(
            (topic_id.type, type(envelope.message)),
            "message %s was published to topic type %r, which has no subscriber: it is a dead "
            "letter. Subscribe an agent type with runtime.add_subscription(...)",
            name,
            topic_id.type,
        )

    # Errors of published messages, which no sender awaits. The runtime halts before the dead letter
    # is added: its publication would be one more message that is not handled.

    def publish_failed(
        self, agent_id: AgentId, envelope: PublishEnvelope, error: BaseException
    ) -> None:
        """Report that a handler of a published message has raised, in the span of the message."""
        failure = self._guards.take_failure(error)
        if failure is not None and failure.is_rejection:
            self._dead_letters.failed(failure)
            self._warn_once((agent_id.type, type(error)), "%s; it is a dead letter", error)
            return
        publication: Publication | None = envelope.observer
        context = None if publication is None else publication.context
        token = None if context is None else telemetry.attach(context)
        try:
            self._observer.failed(agent_id, envelope.message, error, direct=False)
        finally:
            if token is not None:
                telemetry.detach(token)
        self._unhandled(error)
        if failure is not None:
            self._dead_letters.failed(failure)
        elif isinstance(error, Exception):
            is_late = error is self._topic_deadline
            self._dead_letters.handler_failed(envelope, agent_id, error, is_late=is_late)

    def delivery_failed(self, envelope: PublishEnvelope, error: BaseException) -> None:
        """Report that a recipient could not be built, which has been logged."""
        self._unhandled(error)
        self._lose(envelope, error, DeadLetterCause.BUILD_FAILED)

    def interception_failed(self, envelope: PublishEnvelope, error: BaseException) -> None:
        """Report that an intervention handler has raised on a published message."""
        self._lose(envelope, error, DeadLetterCause.INTERCEPTION_FAILED)
        text = "an intervention handler raised on a published message"
        log(_logger, logging.ERROR, text, exc_info=error)

    def routing_failed(self, envelope: PublishEnvelope, error: BaseException) -> None:
        """Report that a custom subscription has raised."""
        text = "no recipients could be found for topic %s"
        log(_logger, logging.ERROR, text, envelope.topic_id, exc_info=error)
        self._unhandled(error)
        self._lose(envelope, error, DeadLetterCause.ROUTING_FAILED)

    def _lose(
        self, envelope: PublishEnvelope, error: BaseException, cause: DeadLetterCause
    ) -> None:
        if isinstance(error, Exception):
            self._dead_letters.published(envelope, error, cause=cause)

    def unreachable(self, agent_id: AgentId, envelope: PublishEnvelope) -> None:
        """Report that a recipient's type is not registered."""
        error = not_registered(agent_id)
        text = "topic %s has a subscriber that is not registered: %s"
        log(_logger, logging.ERROR, text, envelope.topic_id, error)
        self._unhandled(error)
        self._dead_letters.published(envelope, error, recipient=agent_id)

    # Interventions.

    async def traced_interception(
        self,
        name: str,
        observation: SendObservation | Publication | None,
        method: Callable[..., Awaitable[Any]],
        message: Any,
        arguments: dict[str, Any],
    ) -> Any:
        """Call an intervention handler inside a span."""
        link = None if observation is None else observation.link
        with self._observer.tracing.block("intercept", name, {}, link=link):
            return await method(message, **arguments)


_MOST_WARNINGS = 1000
_MOST_SHOWN = 12


def _why_unhandled(agent: RoutedAgent, message_type: type[Any], ctx: MessageContext) -> str:
    handled = {one for handler in agent._discover_handlers() for one in handler.target_types}
    if message_type in handled:
        kind = "sent" if ctx.is_rpc else "published"
        return f"its handlers of this type do not accept it as a {kind} message, or by their match"
    bases = [one.__name__ for one in message_type.__mro__[1:] if one in handled]
    if bases:
        return (
            "handlers are found by the exact type of a message, and it has one for "
            f"{bases[0]} only; declare the handler for {bases[0]} | {message_type.__name__}"
        )
    names = ", ".join(sorted(one.__name__ for one in handled)) or "no type"
    return f"it handles {names}"
