"""A client of OpenAI's API on a scripted server, for what only a real client shows."""

import pytest

from ferrogen.models.openai import OpenAIChatCompletionClient

from ..scripted_server import ScriptedServer

KEY = "a-key-that-nobody-may-read"


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
