"""The type subscription owns the commonest rule: one topic type is heard by one agent type."""

from __future__ import annotations

from typing import Any

from ferrogen._agents.agent_type import AgentType
from ferrogen._core import AgentId
from ferrogen._messaging.subscription import Subscription, new_subscription_id
from ferrogen._messaging.topic import TopicId
from ferrogen.exceptions import CantHandleException


class TypeSubscription(Subscription):  # noqa: PLW1641 - equal by id or by content: no hash fits
    """Lets an agent type hear one topic type; each topic source gets an agent of its own.

    Example:
        ```python
        from ferrogen import AgentId, TopicId, TypeSubscription

        rule = TypeSubscription(topic_type="orders", agent_type="clerk")
        assert rule.is_match(TopicId("orders", "shop-7"))
        assert rule.map_to_agent(TopicId("orders", "shop-7")) == AgentId("clerk", "shop-7")
        ```

    Args:
        topic_type: The topic type to hear.
        agent_type: The type of the agents that hear it.
        id: A name for the subscription; a UUID is made when it is left out.
    """

    # The public path is what pickles and configs store.
    __module__ = "ferrogen"

    def __init__(self, topic_type: str, agent_type: str | AgentType, id: str | None = None) -> None:
        self._topic_type = topic_type
        self._agent_type = agent_type.type if isinstance(agent_type, AgentType) else agent_type
        # None until somebody asks: making an id costs more than all the rest.
        self._id = id or None

    @property
    def id(self) -> str:
        """The name of this subscription, to remove it by."""
        if self._id is None:
            self._id = new_subscription_id()
        return self._id

    @property
    def topic_type(self) -> str:
        """The topic type that is heard."""
        return self._topic_type

    @property
    def agent_type(self) -> str:
        """The type of the agents that hear it."""
        return self._agent_type

    def is_match(self, topic_id: TopicId) -> bool:
        """Tell whether the topic has exactly this topic type."""
        return topic_id.type == self._topic_type

    def map_to_agent(self, topic_id: TopicId) -> AgentId:
        """Name the agent whose key is the source of the topic.

        Raises:
            CantHandleException: The topic does not match this subscription.
        """
        if not self.is_match(topic_id):
            raise CantHandleException("TopicId does not match the subscription")
        return AgentId(type=self._agent_type, key=topic_id.source)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TypeSubscription):
            return False
        return (
            self.agent_type == other.agent_type and self.topic_type == other.topic_type
        ) or self.id == other.id

    def __getstate__(self) -> dict[str, Any]:
        # A copy is the same subscription, so the id is settled before it is copied.
        return {**self.__dict__, "_id": self.id}
