"""Upstream's get_impl and SubscriptionManager, for runtimes written elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from ferrogen._core import AgentId, Routes

if TYPE_CHECKING:
    from ferrogen._core import AgentId
    from ferrogen.agents.agent_type import AgentType
    from ferrogen.messaging.subscription import Subscription
    from ferrogen.messaging.topic import TopicId
    from ferrogen.runtime.protocols import Agent


async def get_impl(
    *,
    id_or_type: AgentId | AgentType | str,
    key: str,
    lazy: bool,
    instance_getter: Callable[[AgentId], Awaitable[Agent]],
) -> AgentId:
    """Complete an agent id, and build its agent unless that may wait for its first message.

    Args:
        id_or_type: An id, taken as it is, or an agent type.
        key: The key that makes an id out of a type.
        lazy: Leave the agent alone.
        instance_getter: Builds the agent.

    Returns:
        The id.
    """
    agent_id = id_or_type if isinstance(id_or_type, AgentId) else AgentId(id_or_type, key)
    if not lazy:
        await instance_getter(agent_id)
    return agent_id


class SubscriptionManager:
    """Subscriptions, and the agents that a topic reaches.

    autogen-ext's distributed runtime is built on it. Nothing is kept per topic.
    """

    def __init__(self) -> None:
        self._routes = Routes()

    @property
    def subscriptions(self) -> Sequence[Subscription]:
        """The subscriptions, in the order they were added."""
        return self._routes.subscriptions

    @property
    def _subscriptions(self) -> Sequence[Subscription]:
        # Read from outside by packages in the field.
        return self._routes.subscriptions

    async def add_subscription(self, subscription: Subscription) -> None:
        """Add a subscription.

        Raises:
            ValueError: If an equal one is there already.
        """
        self._routes.add(subscription)

    async def remove_subscription(self, id: str) -> None:
        """Remove the subscription with this id.

        Raises:
            ValueError: If there is none.
        """
        self._routes.remove(id)

    async def get_subscribed_recipients(self, topic: TopicId) -> list[AgentId]:
        """List the agents that a topic reaches, one entry for each subscription that matches."""
        return self._routes.recipients(topic)
