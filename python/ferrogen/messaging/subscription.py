"""The subscription protocol, and the context in which subscriptions are created."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, runtime_checkable

from ferrogen._core import AgentId
from ferrogen.agents.agent_type import AgentType
from ferrogen.messaging.topic import TopicId


@runtime_checkable
class Subscription(Protocol):  # noqa: PLW1641 - equal by id or by content: no hash fits
    """A rule that maps topics to the agents that receive their messages.

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
        """The unique id of the subscription; usually a UUID."""
        ...

    def __eq__(self, other: object) -> bool:
        """Whether two subscriptions have the same id.

        Args:
            other: The object to compare with.

        Returns:
            True if the other is a subscription with the same id.
        """
        return isinstance(other, Subscription) and self.id == other.id

    def is_match(self, topic_id: TopicId) -> bool:
        """Whether the subscription includes a topic.

        Args:
            topic_id: The topic.

        Returns:
            True if messages published to the topic are delivered.
        """
        ...

    def map_to_agent(self, topic_id: TopicId) -> AgentId:
        """Return the agent that receives messages of a topic. Call it only for matching topics.

        Args:
            topic_id: The topic.

        Returns:
            The id of the agent.

        Raises:
            CantHandleException: The topic does not match this subscription.
        """
        ...


UnboundSubscription = Callable[[], list[Subscription] | Awaitable[list[Subscription]]]
"""Creates subscriptions for the agent type in `SubscriptionInstantiationContext`."""


def new_subscription_id() -> str:
    """Create an id for a subscription."""
    return str(uuid.uuid4())


_SUBSCRIPTION_CONTEXT: ContextVar[AgentType] = ContextVar("SUBSCRIPTION_CONTEXT")


class SubscriptionInstantiationContext:
    """The agent type that is being registered, for code that creates its subscriptions.

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
            "SubscriptionInstantiationContext cannot be instantiated: "
            "call its class methods while subscriptions are being created"
        )

    @classmethod
    @contextmanager
    def populate_context(cls, ctx: AgentType) -> Generator[None, Any, None]:
        """Set the agent type that subscriptions are created for inside a ``with`` block.

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
        """Get the agent type that subscriptions are being created for.

        Returns:
            The agent type.

        Raises:
            RuntimeError: Called while no subscriptions are being created.
        """
        try:
            return _SUBSCRIPTION_CONTEXT.get()
        except LookupError as error:
            raise RuntimeError(
                "SubscriptionInstantiationContext.agent_type() works only in a subscription "
                "factory, which runs while an agent class is registered"
            ) from error
