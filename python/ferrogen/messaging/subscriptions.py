"""The built-in subscriptions: by topic type, by prefix, by pattern, and the default one."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from ferrogen._core import AgentId
from ferrogen.agents.agent_type import AgentType
from ferrogen.exceptions import CantHandleException
from ferrogen.messaging.subscription import (
    Subscription,
    SubscriptionInstantiationContext,
    new_subscription_id,
)
from ferrogen.messaging.topic import TopicId, is_valid_topic_type


class AgentTypeSubscription(Subscription):
    """Subscribes an agent type to topics; each topic source has its own agent.

    Args:
        agent_type: The agent type.
        id: The id of the subscription; by default a new UUID.
    """

    def __init__(self, agent_type: str | AgentType, id: str | None) -> None:
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
    def agent_type(self) -> str:
        """The agent type that receives the messages."""
        return self._agent_type

    def map_to_agent(self, topic_id: TopicId) -> AgentId:
        """Return the agent id with the topic's source as its key.

        Raises:
            CantHandleException: The topic does not match this subscription.
        """
        if self.is_match(topic_id):
            return AgentId(self._agent_type, topic_id.source)
        raise CantHandleException(f"{self._mismatch(topic_id)}: call is_match before map_to_agent")

    @abstractmethod
    def _mismatch(self, topic_id: TopicId) -> str:
        """Say that the topic does not match, and why."""

    def __getstate__(self) -> dict[str, Any]:
        # A copy is the same subscription, so the id is created before it is copied.
        return {**self.__dict__, "_id": self.id}


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


class DefaultSubscription(TypeSubscription):
    """Subscribes an agent type to the default topic.

    Example:
        ```python
        from ferrogen import DefaultSubscription, DefaultTopicId

        rule = DefaultSubscription(agent_type="clerk")
        assert rule.is_match(DefaultTopicId())
        ```

    Args:
        topic_type: The topic type.
        agent_type: The agent type that receives it; by default the agent type that is being
            registered.

    Raises:
        CantHandleException: The agent type is left out, and no agent type is being registered.
    """

    # The public path is what pickles and configs store.
    __module__ = "ferrogen"

    def __init__(
        self, topic_type: str = "default", agent_type: str | AgentType | None = None
    ) -> None:
        if agent_type is None:
            try:
                agent_type = SubscriptionInstantiationContext.agent_type()
            except RuntimeError as error:
                raise CantHandleException(
                    "DefaultSubscription() without agent_type works only in a subscription "
                    "factory, which a runtime calls with the type: pass agent_type"
                ) from error
        super().__init__(topic_type, agent_type)


_ONE_TOKEN = "*"
_REST = ">"


class WildcardSubscription(AgentTypeSubscription):  # noqa: PLW1641 - equal by id or by content: no hash fits
    """Subscribes an agent type to topic types by a pattern; each source has its own agent.

    A pattern has tokens that are separated by dots: `*` matches exactly one token of a topic type,
    `>` at the end matches one or more tokens, and any other token matches itself.

    Example:
        ```python
        from ferrogen import AgentId, TopicId, WildcardSubscription

        created = WildcardSubscription("orders.*.created", "clerk")
        topic = TopicId("orders.eu.created", "shop-7")
        assert created.is_match(topic)
        assert created.map_to_agent(topic) == AgentId("clerk", "shop-7")
        assert not created.is_match(TopicId("orders.eu.fr.created", "shop-7"))

        assert WildcardSubscription("orders.>", "audit").is_match(topic)
        ```

    Args:
        pattern: The pattern of the topic types.
        agent_type: The agent type that receives them.
        id: The id of the subscription; by default a new UUID.

    Raises:
        ValueError: The pattern is invalid: a token is empty, has a wildcard beside other text, has
            a character that no topic type has, or is a `>` that is not the last one.
        TypeError: The pattern is not text.
    """

    # The public path is what pickles and configs store.
    __module__ = "ferrogen"

    def __init__(self, pattern: str, agent_type: str | AgentType, id: str | None = None) -> None:
        super().__init__(agent_type, id)
        check_pattern(pattern)
        self._pattern = pattern

    @property
    def pattern(self) -> str:
        """The pattern of the topic types."""
        return self._pattern

    def is_match(self, topic_id: TopicId) -> bool:
        """Whether the topic type matches the pattern."""
        pattern, tokens = self._pattern.split("."), topic_id.type.split(".")
        if pattern[-1] == _REST:
            pattern.pop()
            if len(tokens) == len(pattern):
                return False
            del tokens[len(pattern) :]
        return len(tokens) == len(pattern) and all(
            expected in {_ONE_TOKEN, token} for expected, token in zip(pattern, tokens, strict=True)
        )

    def _mismatch(self, topic_id: TopicId) -> str:
        return f"the type of topic {topic_id} does not match {self._pattern}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WildcardSubscription) and (
            (self.agent_type, self.pattern) == (other.agent_type, other.pattern)
            or self.id == other.id
        )


def check_pattern(pattern: str) -> None:
    """Check that a pattern is valid.

    Raises:
        ValueError: It is not; see `WildcardSubscription`.
        TypeError: It is not text.
    """
    if not isinstance(pattern, str):
        raise TypeError(f"the pattern of a WildcardSubscription is text, not {pattern!r}")
    *tokens, last = pattern.split(".")
    if not (
        all(token == _ONE_TOKEN or is_valid_topic_type(token) for token in tokens)
        and (last in {_ONE_TOKEN, _REST} or is_valid_topic_type(last))
    ):
        raise ValueError(
            f'invalid pattern "{pattern}": separate tokens by dots; a token is {_ONE_TOKEN} '
            f"for any one token, {_REST} at the end for one or more tokens, or one or more "
            "letters, digits and _ - : ="
        )
