"""The context that sends everything."""

from typing import List  # noqa: UP035 - upstream's spelling

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen.components.component import Component
from ferrogen.model_context.context import ChatCompletionContext
from ferrogen.model_context.limits import config_of
from ferrogen.models.messages import LLMMessage

# ruff: noqa: UP006 - annotations are part of the surface that is compared


class UnboundedChatCompletionContextConfig(BaseModel):
    """The config of an `UnboundedChatCompletionContext`."""

    initial_messages: List[LLMMessage] | None = None


class UnboundedChatCompletionContext(
    ChatCompletionContext, Component[UnboundedChatCompletionContextConfig]
):
    """A context that sends the model all messages.

    Example:
        ```python
        import asyncio

        from ferrogen.model_context import UnboundedChatCompletionContext
        from ferrogen.models import SystemMessage

        context = UnboundedChatCompletionContext([SystemMessage(content="Be brief.")])
        assert len(asyncio.run(context.get_messages())) == 1
        ```
    """

    __module__ = "ferrogen.model_context"

    component_config_schema = UnboundedChatCompletionContextConfig
    component_provider_override = "autogen_core.model_context.UnboundedChatCompletionContext"

    async def get_messages(self) -> List[LLMMessage]:
        """Return all messages."""
        return list(self._messages)

    def _to_config(self) -> UnboundedChatCompletionContextConfig:
        return config_of(self, UnboundedChatCompletionContextConfig)

    @classmethod
    def _from_config(cls, config: UnboundedChatCompletionContextConfig) -> Self:
        return cls(**dict(config))
