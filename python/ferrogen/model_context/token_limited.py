"""Model context limited by tokens."""

from typing import List  # noqa: UP035 - upstream's spelling

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen.components.component import Component
from ferrogen.components.model import ComponentModel
from ferrogen.model_context.context import ChatCompletionContext
from ferrogen.model_context.limits import checked_limit, config_of, exchange_at, from_a_beginning
from ferrogen.models.client import ChatCompletionClient
from ferrogen.models.messages import LLMMessage
from ferrogen.tools.schema import ToolSchema

# ruff: noqa: UP006 - annotations are part of the surface that is compared


class TokenLimitedChatCompletionContextConfig(BaseModel):
    """The config of a `TokenLimitedChatCompletionContext`."""

    model_client: ComponentModel
    token_limit: int | None = None
    tool_schema: List[ToolSchema] | None = None
    initial_messages: List[LLMMessage] | None = None


class TokenLimitedChatCompletionContext(
    ChatCompletionContext, Component[TokenLimitedChatCompletionContextConfig]
):
    """A context that removes messages, from the middle, until the rest fits a token limit.

    Function calls are removed together with their results. If no message fits, the context is
    empty.

    Example:
        ```python
        from ferrogen.model_context import TokenLimitedChatCompletionContext
        from ferrogen.models import ChatCompletionClient


        def short_memory(client: ChatCompletionClient) -> TokenLimitedChatCompletionContext:
            return TokenLimitedChatCompletionContext(client, token_limit=1000)
        ```
    """

    __module__ = "ferrogen.model_context"

    component_config_schema = TokenLimitedChatCompletionContextConfig
    component_provider_override = "autogen_core.model_context.TokenLimitedChatCompletionContext"

    def __init__(
        self,
        model_client: ChatCompletionClient,
        *,
        token_limit: int | None = None,
        tool_schema: List[ToolSchema] | None = None,
        initial_messages: List[LLMMessage] | None = None,
    ) -> None:
        """Create the context.

        Args:
            model_client: Counts the tokens.
            token_limit: The maximum number of tokens; by default the client's
                ``remaining_tokens`` must not be negative.
            tool_schema: The tools of the requests, whose tokens count too.
            initial_messages: The first messages.

        Raises:
            ContextLimitError: The limit is not above zero.
        """
        super().__init__(initial_messages)
        self._token_limit = (
            None if token_limit is None else checked_limit("token_limit", token_limit)
        )
        self._model_client, self._tool_schema = model_client, tool_schema or []

    async def get_messages(self) -> List[LLMMessage]:
        """Return the messages that fit; those in the middle are removed first."""
        kept = self._messages.copy()
        while kept and not self._fits(kept):
            del kept[exchange_at(kept, len(kept) // 2)]
        return from_a_beginning(kept)

    def _fits(self, messages: List[LLMMessage]) -> bool:
        counter, limit = self._model_client, self._token_limit
        if limit is not None:
            return counter.count_tokens(messages, tools=self._tool_schema) <= limit
        return counter.remaining_tokens(messages, tools=self._tool_schema) >= 0

    def _to_config(self) -> TokenLimitedChatCompletionContextConfig:
        dumped = self._model_client.dump_component()
        return config_of(self, TokenLimitedChatCompletionContextConfig, model_client=dumped)

    @classmethod
    def _from_config(cls, config: TokenLimitedChatCompletionContextConfig) -> Self:
        counter = ChatCompletionClient.load_component(config.model_client)
        return cls(counter, **{name: kept for name, kept in config if name != "model_client"})
