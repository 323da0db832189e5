"""A client whose service answers with given bytes, without any socket: for very many answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from ferrogen.models import AssistantMessage, ChatCompletionClient, CreateResult, UserMessage

from .conversation import INFO

try:
    import httpx2
except ImportError:  # the HTTP library of older SDKs
    import httpx as httpx2

HELLO = UserMessage(content="hello", source="me")


class FixedService(httpx2.AsyncBaseTransport):
    """Responds to every request of its client with the same bytes, in pieces.

    Args:
        kind: The class of the client.
        base_url: Where the client believes the service to be.
        tools: What each request offers to the model.
    """

    def __init__(
        self, kind: Callable[..., ChatCompletionClient], base_url: str, tools: Any
    ) -> None:
        self._pieces: list[bytes] = []
        self._content_type = ""
        self._requests: list[Any] = []
        self._tools = tools
        self._client = kind(
            model="some-model",
            api_key="sk-some-key",
            base_url=base_url,
            model_info=INFO,
            max_retries=0,
            http_client=httpx2.AsyncClient(transport=self),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self._requests.append(json.loads(await request.aread()))
        headers = {"content-type": self._content_type}
        return httpx2.Response(200, headers=headers, content=self._stream())

    async def _stream(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece

    def whole(self, body: Any, *pieces: bytes) -> CreateResult:
        """Ask for a response in one piece: this body as JSON, or these bytes."""
        return self._create([HELLO], body, *pieces)

    def streamed(
        self, pieces: list[bytes], content_type: str = "text/event-stream"
    ) -> CreateResult:
        """Ask for a stream, and return its result."""

        async def collected() -> list[Any]:
            return [item async for item in self._client.create_stream([HELLO], tools=self._tools)]

        self._pieces, self._content_type = pieces, content_type
        *_, result = asyncio.run(collected())
        assert isinstance(result, CreateResult)
        return result

    def sent_back(self, result: CreateResult, body: Any) -> Any:
        """Continue the conversation after a result; return the message that it became.

        Args:
            result: The result.
            body: What the service answers.
        """
        said = AssistantMessage(content=result.content, thought=result.thought, source="a")
        self._create([HELLO, said], body)
        return self._requests[-1]["messages"][-1]

    def _create(self, messages: Any, body: Any, *pieces: bytes) -> CreateResult:
        self._pieces = list(pieces) or [json.dumps(body).encode()]
        self._content_type = "application/json"
        return asyncio.run(self._client.create(messages, tools=self._tools))
