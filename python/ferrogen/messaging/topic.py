"""Topic ids: the addresses of published messages."""

import re
from dataclasses import dataclass

from typing_extensions import Self

from ferrogen.messaging.handler_context import MessageHandlerContext

_TOPIC_TYPE = re.compile(r"^[\w\-\.\:\=]+\Z")


def is_valid_topic_type(value: str) -> bool:
    """Whether a string is a valid topic type."""
    return _TOPIC_TYPE.match(value) is not None


@dataclass(eq=True, frozen=True)
class TopicId:
    """The address of a published message: the kind of an event, and its source.

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
                f'invalid topic type "{self.type}": use letters, digits and _ - . : = only'
            )

    def __str__(self) -> str:
        return f"{self.type}/{self.source}"

    @classmethod
    def from_str(cls, topic_id: str) -> Self:
        """Parse a topic id.

        Args:
            topic_id: Text of the form ``type/source``; the source may contain slashes.

        Returns:
            The topic id.

        Raises:
            ValueError: The text has no slash, or its type part is not a valid topic type.
        """
        type_part, slash, source = topic_id.partition("/")
        if not slash:
            raise ValueError(f'invalid topic id "{topic_id}": use the form type/source')
        return cls(type_part, source)


class DefaultTopicId(TopicId):
    """The default topic, for programs that need only one.

    Example:
        ```python
        from ferrogen import DefaultTopicId

        assert str(DefaultTopicId()) == "default/default"
        assert str(DefaultTopicId(type="orders", source="shop-7")) == "orders/shop-7"
        ```

    Args:
        type: The topic type.
        source: The topic source; by default the key of the agent that is handling a message, or
            "default" outside any handler.
    """

    # The public path is what pickles and configs store.
    __module__ = "ferrogen"

    def __init__(self, type: str = "default", source: str | None = None) -> None:
        super().__init__(type, _default_source() if source is None else source)


def _default_source() -> str:
    try:
        agent = MessageHandlerContext.agent_id()
    except RuntimeError:
        return "default"
    return agent.key
