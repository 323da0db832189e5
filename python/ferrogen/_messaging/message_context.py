"""The message context owns what a handler may know about a message besides the message itself.

The class is native, so that the runtime can leave a token and an id unmade until they are read. To
Python it is the dataclass that AutoGen has: it has its fields, for `dataclasses` and for readers.
"""

from dataclasses import dataclass

from ferrogen._core import AgentId, CancellationToken, MessageContext
from ferrogen._messaging.topic import TopicId

__all__ = ["MessageContext"]


@dataclass
class _Fields:
    sender: AgentId | None
    topic_id: TopicId | None
    is_rpc: bool
    cancellation_token: CancellationToken
    message_id: str


for _name in ("__dataclass_fields__", "__dataclass_params__", "__match_args__", "__annotations__"):
    setattr(MessageContext, _name, getattr(_Fields, _name))
