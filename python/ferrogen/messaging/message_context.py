"""The message context: sender, topic and cancellation token of a message.

The class is native, so that the runtime can create the token and the message id when they are first
read. It has the fields of AutoGen's dataclass, also for the functions of `dataclasses`.
"""

from dataclasses import dataclass

from ferrogen._core import AgentId, CancellationToken, MessageContext
from ferrogen.messaging.topic import TopicId

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
