"""A scripted server for each test, and a client of it that does not ask twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from ferrogen.models.openai import OpenAIChatCompletionClient

from ..scripted_server import ScriptedServer

KEY = "sk-do-not-show-this"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests ignore the keys and addresses in the environment."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "GEMINI_API_KEY", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as running:
        yield running


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
