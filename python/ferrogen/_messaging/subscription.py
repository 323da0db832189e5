"""Subscriptions own the rule that turns a topic into an agent; each built-in rule has its file."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, runtime_checkable

from ferrogen._agents.agent_type import AgentType
from ferrogen._core import AgentId
from ferrogen._messaging.topic import TopicId


@runtime_checkable
class Subscription(Protocol):  # noqa: PLW1641 - equal by id or by content: no hash fits
    """A rule that says which topics are heard, and by which agent.

    Example:
        ```python
        from ferrogen import AgentId, Subscription, TopicId


        class EverythingToTheArchive(Subscription):
            @property
            def id(self) -> str:
                return "archive-everything"

            def is_match(self, topic_id: TopicId) -> bool:
                return True

            def map_to_agent(self, topic_id: TopicId) -> AgentId:
                return AgentId("archive", topic_id.type)


        rule = EverythingToTheArchive()
        assert rule.map_to_agent(TopicId("orders", "shop-7")) == AgentId("archive", "orders")
        ```
    """

    @property
    def id(self) -> str:
        """A name for the subscription that no other one has; usually a UUID."""
        ...

    def __eq__(self, other: object) -> bool:
        """Tell whether two subscriptions are the same one.

        Args:
            other: What to compare with.

        Returns:
            True if the other is a subscription with the same id.
        """
        if not isinstance(other, Subscription):
            return False
        return self.id == other.id

    def is_match(self, topic_id: TopicId) -> bool:
        """Tell whether messages published to a topic are heard.

        Args:
            topic_id: The topic.

        Returns:
            True if they are.
        """
        ...

    def map_to_agent(self, topic_id: TopicId) -> AgentId:
        """Tell which agent hears a topic. Ask only about topics that match.

        Args:
            topic_id: The topic.

        Returns:
            The id of the agent.

        Raises:
            CantHandleException: The topic does not match this subscription.
        """
        ...


UnboundSubscription = Callable[[], list[Subscription] | Awaitable[list[Subscription]]]
"""Makes subscriptions for the agent type that `SubscriptionInstantiationContext` names."""


def new_subscription_id() -> str:
    """Make an id for a subscription that was given none."""
    return str(uuid.uuid4())


_SUBSCRIPTION_CONTEXT: ContextVar[AgentType] = ContextVar("SUBSCRIPTION_CONTEXT")


class SubscriptionInstantiationContext:
    """Tells code that makes subscriptions which agent type they are for.

    Example:
        ```python
        from ferrogen import AgentType, DefaultSubscription, SubscriptionInstantiationContext

        with SubscriptionInstantiationContext.populate_context(AgentType("greeter")):
            assert SubscriptionInstantiationContext.agent_type() == AgentType("greeter")
            assert DefaultSubscription().agent_type == "greeter"
        ```
    """

    def __init__(self) -> None:
        raise RuntimeError(
            "SubscriptionInstantiationContext cannot be instantiated. It is a static class: "
            "call its class methods while subscriptions are being made"
        )

    @classmethod
    @contextmanager
    def populate_context(cls, ctx: AgentType) -> Generator[None, Any, None]:
        """Make an agent type the one that subscriptions are for inside a ``with`` block.

        Args:
            ctx: The agent type.
        """
        token = _SUBSCRIPTION_CONTEXT.set(ctx)
        try:
            yield
        finally:
            _SUBSCRIPTION_CONTEXT.reset(token)

    @classmethod
    def agent_type(cls) -> AgentType:
        """Get the agent type that subscriptions are being made for.

        Returns:
            The agent type.

        Raises:
            RuntimeError: No subscriptions are being made here.
        """
        try:
            return _SUBSCRIPTION_CONTEXT.get()
        except LookupError as error:
            raise RuntimeError(
                "SubscriptionInstantiationContext.agent_type() must be called within an "
                "instantiation context: while an agent class is registered, in a function that "
                "makes its subscriptions"
            ) from error
