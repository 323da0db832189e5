"""Subscription of one agent type to one topic type."""

from __future__ import annotations

from typing import Any

from ferrogen._agents.agent_type import AgentType
from ferrogen._core import AgentId
from ferrogen._messaging.subscription import Subscription, new_subscription_id
from ferrogen._messaging.topic import TopicId
from ferrogen.exceptions import CantHandleException


class TypeSubscription(Subscription):  # noqa: PLW1641 - equal by id or by content: no hash fits
    """Subscribes an agent type to one topic type; each topic source has its own agent.

    Example:
        ```python
        from ferrogen import AgentId, TopicId, TypeSubscription

        rule = TypeSubscription(topic_type="orders", agent_type="clerk")
        assert rule.is_match(TopicId("orders", "shop-7"))
        assert rule.map_to_agent(TopicId("orders", "shop-7")) == AgentId("clerk", "shop-7")
        ```

    Args:
        topic_type: The topic type.
        agent_type: The agent type that receives it.
        id: The id of the subscription; by default a new UUID.
    """

    # The public path is what pickles and configs store.
    __module__ = "ferrogen"

    def __init__(self, topic_type: str, agent_type: str | AgentType, id: str | None = None) -> None:
        self._topic_type = topic_type
        self._agent_type = agent_type.type if isinstance(agent_type, AgentType) else agent_type
        # None until first read: creating a UUID costs more than all the rest.
        self._id = id or None

    @property
    def id(self) -> str:
        """The id of this subscription, to remove it by."""
        if self._id is None:
            self._id = new_subscription_id()
        return self._id

    @property
    def topic_type(self) -> str:
        """The topic type."""
        return self._topic_type

    @property
    def agent_type(self) -> str:
        """The agent type that receives it."""
        return self._agent_type

    def is_match(self, topic_id: TopicId) -> bool:
        """Whether the topic has exactly this topic type."""
        return topic_id.type == self._topic_type

    def map_to_agent(self, topic_id: TopicId) -> AgentId:
        """Return the agent id with the topic's source as its key.

        Raises:
            CantHandleException: The topic does not match this subscription.
        """
        if self.is_match(topic_id):
            return AgentId(self._agent_type, topic_id.source)
        raise CantHandleException(
            f"topic {topic_id} is not of type {self._topic_type}: call is_match before map_to_agent"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypeSubscription) and (
            (self.agent_type, self.topic_type) == (other.agent_type, other.topic_type)
            or self.id == other.id
        )

    def __getstate__(self) -> dict[str, Any]:
        # A copy is the same subscription, so the id is created before it is copied.
        return {**self.__dict__, "_id": self.id}
