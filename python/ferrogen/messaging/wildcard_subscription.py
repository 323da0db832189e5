"""Subscription to all topic types that match a pattern with wildcards."""

from __future__ import annotations

from ferrogen.agents.agent_type import AgentType
from ferrogen.messaging.agent_type_subscription import AgentTypeSubscription
from ferrogen.messaging.topic import TopicId, is_valid_topic_type

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
