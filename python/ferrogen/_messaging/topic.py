"""Topic ids own the address of a published message; who hears it is left to subscriptions."""

import re
from dataclasses import dataclass

from typing_extensions import Self

from ferrogen._messaging.handler_context import MessageHandlerContext

_TOPIC_TYPE = re.compile(r"^[\w\-\.\:\=]+\Z")


def is_valid_topic_type(value: str) -> bool:
    """Tell whether a string may be the type of a topic."""
    return _TOPIC_TYPE.match(value) is not None


@dataclass(eq=True, frozen=True)
class TopicId:
    """The address of a published message: what kind of event it is, and where it comes from.

    Example:
        ```python
        from ferrogen import TopicId

        topic = TopicId("orders", "shop-7")
        assert str(topic) == "orders/shop-7"
        assert TopicId.from_str("orders/shop-7") == topic
        ```
    """

    # The public path is what pickles and configs store.
    __module__ = "ferrogen"

    type: str
    """The kind of event. Letters, digits and ``_ - . : =`` only, as for a CloudEvents type."""

    source: str
    """Where the event happened; becomes the key of the agents that receive it."""

    def __post_init__(self) -> None:
        if _TOPIC_TYPE.match(self.type) is None:
            raise ValueError(
                f"Invalid topic type: {self.type}. Must match the pattern: {_TOPIC_TYPE.pattern}"
            )

    def __str__(self) -> str:
        return f"{self.type}/{self.source}"

    @classmethod
    def from_str(cls, topic_id: str) -> Self:
        """Read a topic id back from its text.

        Args:
            topic_id: Text of the form ``type/source``; the source may hold further slashes.

        Returns:
            The topic id.

        Raises:
            ValueError: The text has no slash, or its type part is not a valid topic type.
        """
        type_part, slash, source = topic_id.partition("/")
        if not slash:
            raise ValueError(f"Invalid topic id: {topic_id}")
        return cls(type_part, source)


class DefaultTopicId(TopicId):
    """The topic to publish to when one topic for all agents is enough.

    Example:
        ```python
        from ferrogen import DefaultTopicId

        assert str(DefaultTopicId()) == "default/default"
        assert str(DefaultTopicId(type="orders", source="shop-7")) == "orders/shop-7"
        ```

    Args:
        type: The topic type.
        source: The topic source. Left out, it is the key of the agent whose handler is running,
            or "default" outside any handler.
    """

    # The public path is what pickles and configs store.
    __module__ = "ferrogen"

    def __init__(self, type: str = "default", source: str | None = None) -> None:
        if source is None:
            try:
                source = MessageHandlerContext.agent_id().key
            except RuntimeError:
                source = "default"
        super().__init__(type, source)
