"""The Python side of the short cut by which the extension runs handlers inside their sender.

`Drive` asks this host for what it cannot know, and hands over whatever is not simple.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from functools import partial
from types import FunctionType
from typing import Any, TypeAlias

from ferrogen._agents.agent import Agent
from ferrogen._agents.base import BaseAgent
from ferrogen._agents.routed import RoutedAgent
from ferrogen._core import AgentId, Handlers, Outcome, Send
from ferrogen._messaging.handler_context import MESSAGE_HANDLER_CONTEXT

from .agent_table import AgentTable
from .envelope import PublishEnvelope
from .inbox import Inbox
from .observer import Observer
from .watch import Hearing, Watch

__all__ = ["InlineHost"]

# The handlers of an agent's class; a function of the class to call instead of its `on_message`,
# which would only pass the message on to it; or None, for `on_message` itself.
Way: TypeAlias = Handlers | FunctionType | None

# To asyncio a coroutine is what this class says is one.
Coroutine.register(Send)


class InlineHost:
    """What the short cut needs of a runtime.

    Args:
        send: The plain way of `send_message`.
        publish: The plain way of `publish_message`.
        inbox: Takes over what is not for the short cut.
        agents: Knows whose idle seconds are counted.
        observer: Is told of messages that somebody looks at.
    """

    def __init__(
        self,
        *,
        send: Callable[..., Awaitable[Any]],
        publish: Callable[..., Awaitable[None]],
        inbox: Inbox,
        agents: AgentTable,
        observer: Observer,
    ) -> None:
        self._send = send
        self._publish = publish
        self._inbox = inbox
        self._deliveries = inbox.deliveries
        self._agents = agents
        # The drive calls these by their names here.
        self.wake = inbox.wake
        self.publish_taken = inbox.publish
        self.route = inbox.route
        self.admit_published = inbox.admit
        self.notice = inbox.notice
        self.build = self._deliveries.build_at_once
        self.hand_over = observer.hand_over
        self.watch = partial(Watch, observer)
        self.hearing = partial(Hearing, observer)

    def send_plainly(
        self, message: Any, recipient: Any, sender: Any, token: Any, message_id: Any
    ) -> Awaitable[Any]:
        """Send a message that cannot take the short cut."""
        return self._send(
            message,
            recipient,
            sender=sender,
            cancellation_token=token,
            message_id=message_id,
        )

    def publish_plainly(
        self, message: Any, topic_id: Any, sender: Any, token: Any, message_id: Any
    ) -> Awaitable[None]:
        """Publish a message that cannot take the short cut."""
        return self._publish(
            message,
            topic_id,
            sender=sender,
            cancellation_token=token,
            message_id=message_id,
        )

    def equip(self, agent_id: AgentId, agent: Agent) -> tuple[Way, Context, bool]:
        """Say how an agent is called, where its handlers run, whether it is watched."""
        context = self._deliveries.context.copy()
        context.run(MESSAGE_HANDLER_CONTEXT.set, agent_id)
        return _way_to(agent), context, self._agents.is_watched(agent_id)

    def publish_suspended(
        self, agent_id: AgentId, ticket: int, envelope: PublishEnvelope
    ) -> Callable[[Any, BaseException | None], None]:
        """Return what to call when a handler that has suspended ends, with its result or error."""
        return partial(self._settle_publish, agent_id, ticket, envelope)

    def publish_failed(
        self, agent_id: AgentId, ticket: int, envelope: PublishEnvelope, error: BaseException
    ) -> None:
        """Report that a handler of a published message ended with an error, inside its span."""
        report = partial(self._deliveries.publish_failed, agent_id, ticket, envelope, error)
        if envelope.context is None:
            report()
        else:
            envelope.context.copy().run(report)

    def after_handler(self, agent_id: AgentId) -> None:
        """Do what is due after a handler that ended inline."""
        self._deliveries.after_handler(agent_id)

    def _settle_publish(
        self,
        agent_id: AgentId,
        ticket: int,
        envelope: PublishEnvelope,
        _value: Any,
        error: BaseException | None,
    ) -> None:
        if error is None:
            self._deliveries.finish(agent_id, ticket, Outcome.HANDLED)
        else:
            self.publish_failed(agent_id, ticket, envelope, error)


def _way_to(agent: Agent) -> Way:
    """The handlers of an agent's class, or its `on_message_impl` if it has a way of its own."""
    cls: type[Any] = type(agent)
    if getattr(cls, "on_message", None) is not BaseAgent.on_message:
        return None
    if "on_message" in vars(agent) or "on_message_impl" in vars(agent):
        return None
    implementation = cls.on_message_impl
    if implementation is not RoutedAgent.on_message_impl:
        return implementation if isinstance(implementation, FunctionType) else None
    return _handlers_of(cls) or RoutedAgent.on_message_impl


def _handlers_of(cls: type[RoutedAgent]) -> Handlers | None:
    """The handlers of a class; None if one of them is more than its plan says."""
    # Of the class itself only, and gone with it.
    known: Handlers | None = vars(cls).get("_native_handlers")
    if known is not None:
        return known
    described = []
    for message_type, handlers in cls._make_handler_table().items():
        plans = [getattr(handler, "plan", None) for handler in handlers]
        for handler, plan in zip(handlers, plans, strict=True):
            # Somebody made a handler without our decorators, or wrapped one that we made:
            # functools.wraps then passes the plan on to what does more than the plan says.
            if plan is None or getattr(handler, "__wrapped__", None) is not plan.function:
                return None
        described.append((message_type, plans))
    made = Handlers(described)
    cls._native_handlers = made
    return made
