"""Subscription to all topic types with a common prefix."""

from __future__ import annotations

from typing import Any

from ferrogen._agents.agent_type import AgentType
from ferrogen._core import AgentId
from ferrogen._messaging.subscription import Subscription, new_subscription_id
from ferrogen._messaging.topic import TopicId
from ferrogen.exceptions import CantHandleException


class TypePrefixSubscription(Subscription):  # noqa: PLW1641 - equal by id or by content: no hash fits
    """Subscribes an agent type to all topic types with a prefix; each source has its own agent.

    Example:
        ```python
        from ferrogen import AgentId, TopicId, TypePrefixSubscription

        rule = TypePrefixSubscription(topic_type_prefix="orders.", agent_type="clerk")
        assert rule.is_match(TopicId("orders.new", "shop-7"))
        assert rule.map_to_agent(TopicId("orders.paid", "shop-7")) == AgentId("clerk", "shop-7")
        ```

    Args:
        topic_type_prefix: The prefix of the topic types.
        agent_type: The agent type that receives them.
        id: The id of the subscription; by default a new UUID.
    """

    # The public path is what pickles and configs store.
    __module__ = "ferrogen"

    def __init__(
        self, topic_type_prefix: str, agent_type: str | AgentType, id: str | None = None
    ) -> None:
        self._topic_type_prefix = topic_type_prefix
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
    def topic_type_prefix(self) -> str:
        """The prefix of the topic types."""
        return self._topic_type_prefix

    @property
    def agent_type(self) -> str:
        """The agent type that receives them."""
        return self._agent_type

    def is_match(self, topic_id: TopicId) -> bool:
        """Whether the topic type starts with the prefix."""
        return topic_id.type.startswith(self._topic_type_prefix)

    def map_to_agent(self, topic_id: TopicId) -> AgentId:
        """Return the agent id with the topic's source as its key.

        Raises:
            CantHandleException: The topic does not match this subscription.
        """
        if self.is_match(topic_id):
            return AgentId(self._agent_type, topic_id.source)
        raise CantHandleException(
            f"the type of topic {topic_id} does not start with {self._topic_type_prefix}: call "
            "is_match before map_to_agent"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypePrefixSubscription) and (
            (self.agent_type, self.topic_type_prefix) == (other.agent_type, other.topic_type_prefix)
            or self.id == other.id
        )

    def __getstate__(self) -> dict[str, Any]:
        # A copy is the same subscription, so the id is created before it is copied.
        return {**self.__dict__, "_id": self.id}
