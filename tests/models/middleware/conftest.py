"""A client of OpenAI's API on a scripted server, for what only a real client shows."""

import pytest

from ferrogen.models.anthropic import AnthropicChatCompletionClient
from ferrogen.models.openai import OpenAIChatCompletionClient

from ..scripted_server import ScriptedServer

KEY = "a-key-that-must-not-leak"


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch):
    """Loopback requests bypass proxies, and the tests ignore the keys in the environment."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")


@pytest.fixture
async def server():
    async with ScriptedServer() as running:
        yield running


@pytest.fixture
async def client(server):
    """A client of the server that leaves retrying to others."""
    client = OpenAIChatCompletionClient(
        model="gpt-4o",
        base_url=f"{server.url}/v1",
        api_key=KEY,
        max_retries=0,
        default_headers={"x-gateway-token": f"gateway-{KEY}"},
    )
    yield client
    await client.close()


@pytest.fixture
async def anthropic_client(server):
    """A client of Anthropic's API on the same server."""
    client = AnthropicChatCompletionClient(
        model="claude-3-5-haiku-latest", base_url=server.url, api_key=KEY, max_retries=0
    )
    yield client
    await client.close()
