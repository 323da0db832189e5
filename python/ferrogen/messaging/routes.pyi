"""The compiled part of the subscriptions: what of `ferrogen._core` finds recipients."""

from typing import final

from typing_extensions import Self

from ferrogen._core import AgentId
from ferrogen.messaging.subscription import Subscription
from ferrogen.messaging.topic import TopicId

__all__ = ["Routes"]

@final
class Routes:
    """Subscriptions, and the recipients of a topic.

    The built-in subscriptions are matched natively; a custom one is called for every topic.
    """

    def __new__(cls) -> Self: ...
    def add(self, subscription: Subscription) -> None:
        """Add a subscription, last in the order of delivery.

        Raises:
            ValueError: An equal subscription exists, or its agent type is invalid.
            TypeError: It is not a subscription.
        """

    def remove(self, id: str) -> None:
        """Remove the subscription with this id.

        Raises:
            ValueError: There is none.
        """

    def recipients(self, topic: TopicId) -> list[AgentId]:
        """Return the recipients of a topic, one for each matching subscription, in order."""

    @property
    def subscriptions(self) -> list[Subscription]:
        """All subscriptions, in the order of subscribing."""

    def __len__(self) -> int: ...
