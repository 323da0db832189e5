"""Custom subscriptions, and what the program knows of each subscription."""

from __future__ import annotations

from dataclasses import dataclass

from ferrogen import AgentId, Subscription, TopicId, TypePrefixSubscription, TypeSubscription

from .messages import RoutingError

__all__ = ["BROKEN", "CustomSubscription", "RaisingSubscription", "TrackedSubscription"]

BROKEN = "broken"
"""The topic type at which a custom subscription raises."""


class CustomSubscription(Subscription):  # noqa: PLW1641 - as the protocol
    """Sends a topic type to one agent, whatever the source."""

    def __init__(self, id: str, topic_type: str, agent_id: AgentId) -> None:
        self._id = id
        self._topic_type = topic_type
        self._agent_id = agent_id

    @property
    def id(self) -> str:
        """The name of the subscription."""
        return self._id

    def __eq__(self, other: object) -> bool:
        return self is other

    def is_match(self, topic_id: TopicId) -> bool:
        """Whether the topic has the type."""
        return topic_id.type == self._topic_type

    def map_to_agent(self, topic_id: TopicId) -> AgentId:
        """The one agent."""
        return self._agent_id


class RaisingSubscription(CustomSubscription):
    """Raises at one topic type."""

    def is_match(self, topic_id: TopicId) -> bool:
        """Raise at the topic type, and match no other."""
        if topic_id.type == BROKEN:
            raise RoutingError(str(topic_id))
        return False


@dataclass
class TrackedSubscription:
    """A subscription, and the versions of the subscriptions between which it counts."""

    subscription: Subscription
    added: int
    removed: int | None = None

    def recipient(self, topic_id: TopicId) -> str | None:
        """The agent that a topic reaches by this subscription, without asking it."""
        one = self.subscription
        # The classes implement a protocol, of which `isinstance` is slow.
        if type(one) is TypeSubscription:
            is_match = topic_id.type == one.topic_type
            return f"{one.agent_type}/{topic_id.source}" if is_match else None
        if type(one) is TypePrefixSubscription:
            is_match = topic_id.type.startswith(one.topic_type_prefix)
            return f"{one.agent_type}/{topic_id.source}" if is_match else None
        if type(one) is RaisingSubscription:
            return None
        return str(one.map_to_agent(topic_id)) if one.is_match(topic_id) else None
