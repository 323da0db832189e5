"""The base of every context: it keeps all messages, and leaves open which of them are sent."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, List  # noqa: UP035 - upstream's spelling

from pydantic import BaseModel, Field

from ferrogen.components.component import ComponentBase
from ferrogen.models.messages import LLMMessage

# ruff: noqa: UP006 - annotations are part of the surface that is compared


class ChatCompletionContext(ABC, ComponentBase[BaseModel]):
    """The messages that an agent keeps of a conversation with a model.

    A context of one's own says in `get_messages` what the model is sent.

    Example:
        ```python
        import asyncio

        from ferrogen.model_context import ChatCompletionContext
        from ferrogen.models import UserMessage


        class LatestOnly(ChatCompletionContext):
            async def get_messages(self):
                return self._messages[-1:]


        async def main() -> None:
            context = LatestOnly()
            for words in ("Ciao", "Addio"):
                await context.add_message(UserMessage(content=words, source="me"))
            assert [message.content for message in await context.get_messages()] == ["Addio"]


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.model_context"

    component_type = "chat_completion_context"

    def __init__(self, initial_messages: List[LLMMessage] | None = None) -> None:
        """Start with messages.

        Args:
            initial_messages: The messages at the beginning; they are part of the config.
        """
        self._messages: List[LLMMessage] = list(initial_messages or ())
        self._initial_messages = initial_messages

    async def add_message(self, message: LLMMessage) -> None:
        """Remember a message, after all that are there."""
        self._messages.append(message)

    @abstractmethod
    async def get_messages(self) -> List[LLMMessage]:
        """Return what the model is to be sent, the oldest message first."""

    async def clear(self) -> None:
        """Forget all messages, those of the beginning too."""
        self._messages = []

    async def save_state(self) -> Mapping[str, Any]:
        """Return all messages in a form that `load_state` takes."""
        state = ChatCompletionContextState(messages=self._messages)
        return state.model_dump()

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Remember the messages of a saved state, and none but those.

        Raises:
            pydantic.ValidationError: The state is invalid; the context is not changed.
        """
        loaded = ChatCompletionContextState.model_validate(state)
        self._messages = loaded.messages


class ChatCompletionContextState(BaseModel):
    """The saved state of a context: its messages.

    Example:
        ```python
        from ferrogen.model_context import ChatCompletionContextState

        assert ChatCompletionContextState().model_dump() == {"messages": []}
        ```
    """

    __module__ = "ferrogen.model_context"

    messages: List[LLMMessage] = Field(default_factory=list)
    """All of them, the oldest first."""
