"""The interface of model clients, which packages such as autogen-ext implement."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Optional, Union, cast

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen._core import CancellationToken
from ferrogen.components.component import ComponentBase
from ferrogen.models.messages import LLMMessage
from ferrogen.models.model_info import ModelCapabilities, ModelFamily, ModelInfo
from ferrogen.models.results import CreateResult, RequestUsage
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema

# ruff: noqa: UP007, UP045 - annotations are part of the surface that is compared

ToolChoice = Tool | Literal["auto", "required", "none"]
JsonOutput = Optional[bool | type[BaseModel]]


class ChatCompletionClient(ComponentBase[BaseModel], ABC):
    """The interface between agents and models; a package that serves a model implements it.

    Clients are components: `load_component` makes one from a config.

    Example:
        ```python
        import asyncio
        from collections.abc import AsyncGenerator, Sequence
        from typing import Any

        from ferrogen.models import (
            ChatCompletionClient,
            CreateResult,
            LLMMessage,
            ModelFamily,
            ModelInfo,
            RequestUsage,
            UserMessage,
        )


        class Parrot(ChatCompletionClient):
            async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
                said = messages[-1].content
                return CreateResult(
                    finish_reason="stop",
                    content=said if isinstance(said, str) else "",
                    usage=self.total_usage(),
                    cached=False,
                )

            async def create_stream(
                self, messages: Sequence[LLMMessage], **options: Any
            ) -> AsyncGenerator[str | CreateResult, None]:
                yield await self.create(messages)

            async def close(self) -> None:
                pass

            def actual_usage(self) -> RequestUsage:
                return RequestUsage(prompt_tokens=0, completion_tokens=0)

            def total_usage(self) -> RequestUsage:
                return RequestUsage(prompt_tokens=0, completion_tokens=0)

            def count_tokens(self, messages: Sequence[LLMMessage], *, tools: Any = ()) -> int:
                return sum(len(str(message.content).split()) for message in messages)

            def remaining_tokens(self, messages: Sequence[LLMMessage], *, tools: Any = ()) -> int:
                return 100 - self.count_tokens(messages)

            @property
            def capabilities(self) -> ModelInfo:
                return self.model_info

            @property
            def model_info(self) -> ModelInfo:
                return ModelInfo(
                    vision=False,
                    function_calling=False,
                    json_output=False,
                    structured_output=False,
                    family=ModelFamily.UNKNOWN,
                )


        result = asyncio.run(Parrot().create([UserMessage(content="Ciao", source="me")]))
        assert result.content == "Ciao"
        ```
    """

    __module__ = "ferrogen.models"

    component_type = "model"

    @abstractmethod
    async def create(
        self,
        messages: Sequence[LLMMessage],
        *,
        tools: Sequence[Tool | ToolSchema] = [],
        tool_choice: ToolChoice = "auto",
        json_output: JsonOutput = None,
        extra_create_args: Mapping[str, Any] = {},
        cancellation_token: Optional[CancellationToken] = None,
    ) -> CreateResult:
        """Ask the model once, and wait for the whole response.

        Args:
            messages: The conversation so far, the oldest message first.
            tools: The tools that the model may call.
            tool_choice: A tool that it has to call, or whether it may call any (``"auto"``), has
                to call one (``"required"``) or must not (``"none"``).
            json_output: A model class that the response has to fit; ``True`` for JSON of any
                shape, which the messages should then ask for.
            extra_create_args: Arguments that are passed on to the service unchanged.
            cancellation_token: Ends the request when it is cancelled.
        """

    @abstractmethod
    def create_stream(
        self,
        messages: Sequence[LLMMessage],
        *,
        tools: Sequence[Tool | ToolSchema] = [],
        tool_choice: ToolChoice = "auto",
        json_output: JsonOutput = None,
        extra_create_args: Mapping[str, Any] = {},
        cancellation_token: Optional[CancellationToken] = None,
    ) -> AsyncGenerator[Union[str, CreateResult], None]:
        """Ask the model like `create`, and yield the response in pieces as it is written.

        The pieces are text; the last item is the result as a whole.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of connections; the client is not used any more."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        await self.close()

    @abstractmethod
    def actual_usage(self) -> RequestUsage:
        """Return the tokens that were paid for, without responses that came from a cache."""

    @abstractmethod
    def total_usage(self) -> RequestUsage:
        """Return the tokens of all requests."""

    @abstractmethod
    def count_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = []
    ) -> int:
        """Count the tokens that a request of these messages and tools would take."""

    @abstractmethod
    def remaining_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = []
    ) -> int:
        """Return how many tokens are left beside these; below zero, they are too many."""

    @property
    @abstractmethod
    def capabilities(self) -> ModelCapabilities:
        """The abilities of the model, in the form before `model_info`."""

    @property
    @abstractmethod
    def model_info(self) -> ModelInfo:
        """The abilities of the model.

        A client that leaves it to this class gets its `capabilities`, of an unknown family, and
        a warning.
        """
        warnings.warn(
            f"{type(self).__name__} does not implement model_info, so its deprecated "
            "capabilities are used; implement model_info",
            stacklevel=2,
        )
        return cast("ModelInfo", {**self.capabilities, "family": ModelFamily.UNKNOWN})
