"""The context that sends the newest messages."""

from typing import List  # noqa: UP035 - upstream's spelling

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen.components.component import Component
from ferrogen.model_context.context import ChatCompletionContext
from ferrogen.model_context.limits import checked_limit, config_of, from_a_beginning
from ferrogen.models.messages import LLMMessage

# ruff: noqa: UP006 - annotations are part of the surface that is compared


class BufferedChatCompletionContextConfig(BaseModel):
    """The config of a `BufferedChatCompletionContext`."""

    buffer_size: int
    initial_messages: List[LLMMessage] | None = None


class BufferedChatCompletionContext(
    ChatCompletionContext, Component[BufferedChatCompletionContextConfig]
):
    """A context that sends the model the newest messages.

    Results of functions whose call has grown too old are left out with it.

    Example:
        ```python
        import asyncio

        from ferrogen.model_context import BufferedChatCompletionContext
        from ferrogen.models import UserMessage

        said = [UserMessage(content=words, source="me") for words in ("one", "two", "three")]
        context = BufferedChatCompletionContext(buffer_size=2, initial_messages=said)
        assert asyncio.run(context.get_messages()) == said[1:]
        ```
    """

    __module__ = "ferrogen.model_context"

    component_config_schema = BufferedChatCompletionContextConfig
    component_provider_override = "autogen_core.model_context.BufferedChatCompletionContext"

    def __init__(self, buffer_size: int, initial_messages: List[LLMMessage] | None = None) -> None:
        """Choose how many messages are sent.

        Args:
            buffer_size: The most that are sent; all are remembered.
            initial_messages: The messages at the beginning.

        Raises:
            ContextLimitError: The size is not above zero.
        """
        super().__init__(initial_messages)
        self._buffer_size = checked_limit("buffer_size", buffer_size)

    async def get_messages(self) -> List[LLMMessage]:
        """Return at most ``buffer_size`` messages, the newest."""
        return from_a_beginning(self._messages[-self._buffer_size :])

    def _to_config(self) -> BufferedChatCompletionContextConfig:
        return config_of(self, BufferedChatCompletionContextConfig)

    @classmethod
    def _from_config(cls, config: BufferedChatCompletionContextConfig) -> Self:
        return cls(**dict(config))
