"""Base classes of middleware for model clients."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any, Literal

from pydantic import BaseModel

from ferrogen._core import CancellationToken
from ferrogen.exceptions import ModelResponseError
from ferrogen.models.client import ChatCompletionClient
from ferrogen.models.messages import LLMMessage
from ferrogen.models.middleware.request import Request, ResponseStream
from ferrogen.models.model_info import ModelCapabilities, ModelInfo
from ferrogen.models.results import CreateResult, RequestUsage
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema


class AnsweringClient(ChatCompletionClient):
    """A client whose `create` and `create_stream` are one method, `_respond`."""

    @abstractmethod
    def _respond(self, request: Request) -> ResponseStream:
        """Yield the pieces, if the request is streamed, and then the result."""

    async def create(
        self,
        messages: Sequence[LLMMessage],
        *,
        tools: Sequence[Tool | ToolSchema] = (),
        tool_choice: Tool | Literal["auto", "required", "none"] = "auto",
        json_output: bool | type[BaseModel] | None = None,
        extra_create_args: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
    ) -> CreateResult:
        """Send one request and wait for the response; see `ChatCompletionClient.create`."""
        extra = extra_create_args or {}
        request = Request(
            messages, tools, tool_choice, json_output, extra, cancellation_token, streaming=False
        )
        result = None
        async with aclosing(self._respond(request)) as items:
            async for item in items:
                result = item
        if not isinstance(result, CreateResult):
            raise ModelResponseError("the client's response ends without a result")
        return result

    def create_stream(
        self,
        messages: Sequence[LLMMessage],
        *,
        tools: Sequence[Tool | ToolSchema] = (),
        tool_choice: Tool | Literal["auto", "required", "none"] = "auto",
        json_output: bool | type[BaseModel] | None = None,
        extra_create_args: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
    ) -> ResponseStream:
        """Ask the model, and yield the response as it comes; see `ChatCompletionClient`."""
        extra = extra_create_args or {}
        return self._respond(
            Request(
                messages, tools, tool_choice, json_output, extra, cancellation_token, streaming=True
            )
        )


class Middleware(AnsweringClient):
    """A client around another client, with its model info, usage and token counts."""

    def __init__(self, client: ChatCompletionClient) -> None:
        self._client = client

    @property
    def client(self) -> ChatCompletionClient:
        """The client within."""
        return self._client

    def within(self) -> Sequence[ChatCompletionClient]:
        """Return all clients within, in the order in which they are asked."""
        return [self._client]

    async def close(self) -> None:
        """Close the client within."""
        await self._client.close()

    def actual_usage(self) -> RequestUsage:
        """Return the tokens that the client within was paid for."""
        return self._client.actual_usage()

    def total_usage(self) -> RequestUsage:
        """Return the tokens of all requests."""
        return self._client.total_usage()

    def count_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()
    ) -> int:
        """Count the tokens as the client within does."""
        return self._client.count_tokens(messages, tools=tools)

    def remaining_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()
    ) -> int:
        """Return how many tokens are left beside these; below zero, they are too many."""
        return self._client.remaining_tokens(messages, tools=tools)

    @property
    def capabilities(self) -> ModelCapabilities:
        """The abilities of the model, in the form before `model_info`."""
        return self._client.capabilities

    @property
    def model_info(self) -> ModelInfo:
        """The abilities of the model."""
        return self._client.model_info
