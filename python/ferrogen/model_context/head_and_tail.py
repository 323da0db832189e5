"""Model context of the first and the last messages."""

from typing import List  # noqa: UP035 - upstream's spelling

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen.components.component import Component
from ferrogen.model_context.context import ChatCompletionContext
from ferrogen.model_context.limits import checked_limit, config_of, from_a_beginning, up_to_an_end
from ferrogen.models.messages import LLMMessage, UserMessage

# ruff: noqa: UP006 - annotations are part of the surface that is compared


class HeadAndTailChatCompletionContextConfig(BaseModel):
    """The config of a `HeadAndTailChatCompletionContext`."""

    head_size: int
    tail_size: int
    initial_messages: List[LLMMessage] | None = None


class HeadAndTailChatCompletionContext(
    ChatCompletionContext, Component[HeadAndTailChatCompletionContextConfig]
):
    """A context that sends the model the first and the last messages.

    Between them stands a message that says how many were skipped. Calls of functions and their
    results are sent together or not at all.

    Example:
        ```python
        import asyncio

        from ferrogen.model_context import HeadAndTailChatCompletionContext
        from ferrogen.models import UserMessage

        said = [UserMessage(content=str(number), source="me") for number in range(5)]
        context = HeadAndTailChatCompletionContext(1, 2, initial_messages=said)
        sent = [message.content for message in asyncio.run(context.get_messages())]
        assert sent == ["0", "Skipped 2 messages.", "3", "4"]
        ```
    """

    __module__ = "ferrogen.model_context"

    component_config_schema = HeadAndTailChatCompletionContextConfig
    component_provider_override = "autogen_core.model_context.HeadAndTailChatCompletionContext"

    def __init__(
        self, head_size: int, tail_size: int, initial_messages: List[LLMMessage] | None = None
    ) -> None:
        """Choose how many messages are sent.

        Args:
            head_size: The most that are sent from the start.
            tail_size: The most that are sent from the end.
            initial_messages: The messages at the beginning.

        Raises:
            ContextLimitError: A size is not above zero.
        """
        super().__init__(initial_messages)
        self._head_size = checked_limit("head_size", head_size)
        self._tail_size = checked_limit("tail_size", tail_size)

    async def get_messages(self) -> List[LLMMessage]:
        """Return all messages if they fit, else the first, a note, and the last."""
        if len(self._messages) <= self._head_size + self._tail_size:
            return list(self._messages)
        head = up_to_an_end(self._messages, self._head_size)
        tail = from_a_beginning(self._messages[-self._tail_size :])
        skipped = len(self._messages) - len(head) - len(tail)
        note = UserMessage(content=f"Skipped {skipped} messages.", source="System")
        return [*head, note, *tail]

    def _to_config(self) -> HeadAndTailChatCompletionContextConfig:
        return config_of(self, HeadAndTailChatCompletionContextConfig)

    @classmethod
    def _from_config(cls, config: HeadAndTailChatCompletionContextConfig) -> Self:
        return cls(**dict(config))
