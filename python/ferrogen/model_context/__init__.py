"""Model contexts: the part of a conversation that is sent to a model."""

from ferrogen.model_context.buffered import BufferedChatCompletionContext
from ferrogen.model_context.context import ChatCompletionContext, ChatCompletionContextState
from ferrogen.model_context.head_and_tail import HeadAndTailChatCompletionContext
from ferrogen.model_context.token_limited import TokenLimitedChatCompletionContext
from ferrogen.model_context.unbounded import UnboundedChatCompletionContext

__all__ = [
    "BufferedChatCompletionContext",
    "ChatCompletionContext",
    "ChatCompletionContextState",
    "HeadAndTailChatCompletionContext",
    "TokenLimitedChatCompletionContext",
    "UnboundedChatCompletionContext",
]
