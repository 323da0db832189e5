"""A client of the scripted server that does not ask twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from ferrogen.models.openai import OpenAIChatCompletionClient

from ..scripted_server import ScriptedServer

KEY = "sk-do-not-show-this"


@pytest.fixture
async def client_of(
    server: ScriptedServer,
) -> AsyncIterator[Callable[..., OpenAIChatCompletionClient]]:
    """Makes clients of the server, with more arguments or others."""
    made: list[OpenAIChatCompletionClient] = []

    def make(**arguments: Any) -> OpenAIChatCompletionClient:
        usual = {"model": "gpt-4o", "base_url": f"{server.url}/v1", "api_key": KEY}
        client = OpenAIChatCompletionClient(**{**usual, "max_retries": 0, **arguments})
        made.append(client)
        return client

    yield make
    for client in made:
        await client.close()


@pytest.fixture
def client(client_of: Callable[..., OpenAIChatCompletionClient]) -> OpenAIChatCompletionClient:
    return client_of()
