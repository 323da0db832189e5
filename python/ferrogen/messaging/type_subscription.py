"""Subscription of one agent type to one topic type."""

from __future__ import annotations

from ferrogen.agents.agent_type import AgentType
from ferrogen.messaging.agent_type_subscription import AgentTypeSubscription
from ferrogen.messaging.topic import TopicId


class TypeSubscription(AgentTypeSubscription):  # noqa: PLW1641 - equal by id or by content: no hash fits
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
        super().__init__(agent_type, id)
        self._topic_type = topic_type

    @property
    def topic_type(self) -> str:
        """The topic type."""
        return self._topic_type

    def is_match(self, topic_id: TopicId) -> bool:
        """Whether the topic has exactly this topic type."""
        return topic_id.type == self._topic_type

    def _mismatch(self, topic_id: TopicId) -> str:
        return f"topic {topic_id} is not of type {self._topic_type}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypeSubscription) and (
            (self.agent_type, self.topic_type) == (other.agent_type, other.topic_type)
            or self.id == other.id
        )
