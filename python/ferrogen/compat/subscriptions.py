"""Upstream's SubscriptionManager over the native routes, for runtimes written elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ferrogen._core import Routes

if TYPE_CHECKING:
    from ferrogen._core import AgentId
    from ferrogen.messaging.subscription import Subscription
    from ferrogen.messaging.topic import TopicId


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
