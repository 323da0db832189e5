"""Subscription to all topic types with a common prefix."""

from __future__ import annotations

from ferrogen.agents.agent_type import AgentType
from ferrogen.messaging.agent_type_subscription import AgentTypeSubscription
from ferrogen.messaging.topic import TopicId


class TypePrefixSubscription(AgentTypeSubscription):  # noqa: PLW1641 - equal by id or by content: no hash fits
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
        super().__init__(agent_type, id)
        self._topic_type_prefix = topic_type_prefix

    @property
    def topic_type_prefix(self) -> str:
        """The prefix of the topic types."""
        return self._topic_type_prefix

    def is_match(self, topic_id: TopicId) -> bool:
        """Whether the topic type starts with the prefix."""
        return topic_id.type.startswith(self._topic_type_prefix)

    def _mismatch(self, topic_id: TopicId) -> str:
        return f"the type of topic {topic_id} does not start with {self._topic_type_prefix}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypePrefixSubscription) and (
            (self.agent_type, self.topic_type_prefix) == (other.agent_type, other.topic_type_prefix)
            or self.id == other.id
        )
