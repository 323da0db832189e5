"""A client of OpenAI's API on a scripted server, for what only a real client shows."""

import pytest

from ferrogen.models.anthropic import AnthropicChatCompletionClient
from ferrogen.models.openai import OpenAIChatCompletionClient

KEY = "a-key-that-must-not-leak"


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
