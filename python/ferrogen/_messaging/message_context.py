"""The message context owns what a handler may know about a message besides the message itself."""

from dataclasses import dataclass

from ferrogen._core import AgentId
from ferrogen._messaging.cancellation import CancellationToken
from ferrogen._messaging.topic import TopicId


@dataclass
class MessageContext:
    """What comes with a message: who sent it, how, and how to give up on it.

    Example:
        ```python
        from ferrogen import CancellationToken, MessageContext, TopicId

        ctx = MessageContext(
            sender=None,
            topic_id=TopicId("orders", "shop-7"),
            is_rpc=False,
            cancellation_token=CancellationToken(),
            message_id="1",
        )
        assert not ctx.is_rpc
        ```
    """

    sender: AgentId | None
    """The agent that sent the message, or None when it came from outside."""

    topic_id: TopicId | None
    """The topic that the message was published to, or None when it was sent directly."""

    is_rpc: bool
    """Whether the sender waits for an answer."""

    cancellation_token: CancellationToken
    """Cancelled when the sender gives up on the message."""

    message_id: str
    """Names this message in logs and traces."""
