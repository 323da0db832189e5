"""The arguments of one request to a client."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import BaseModel

from ferrogen._core import CancellationToken
from ferrogen.models.client import ChatCompletionClient
from ferrogen.models.messages import LLMMessage
from ferrogen.models.results import CreateResult
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema

ResponseStream = AsyncGenerator[str | CreateResult, None]
"""Pieces of text, and the result as a whole in the end; without streaming, only that."""


@dataclass(frozen=True)
class Request:
    """The arguments of `ChatCompletionClient.create`, and whether the response is streamed."""

    messages: Sequence[LLMMessage]
    tools: Sequence[Tool | ToolSchema]
    tool_choice: Tool | Literal["auto", "required", "none"]
    json_output: bool | type[BaseModel] | None
    extra_create_args: Mapping[str, Any]
    cancellation_token: CancellationToken | None
    streaming: bool

    def under(self, token: CancellationToken) -> Request:
        """Return the same request, ended by another token."""
        return replace(self, cancellation_token=token)

    async def ask(self, client: ChatCompletionClient) -> ResponseStream:
        """Put this request to a client; close the generator when it is left early."""
        options: dict[str, Any] = {
            "tools": self.tools,
            "tool_choice": self.tool_choice,
            "json_output": self.json_output,
            "extra_create_args": self.extra_create_args,
            "cancellation_token": self.cancellation_token,
        }
        if not self.streaming:
            yield await client.create(self.messages, **options)
            return
        async with aclosing(client.create_stream(self.messages, **options)) as items:
            async for item in items:
                yield item
