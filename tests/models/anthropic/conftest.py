"""A client of Anthropic's API that talks to the scripted server."""

import pytest
from PIL import Image as PillowImage

from ferrogen import Image
from ferrogen.models.anthropic import AnthropicChatCompletionClient

from ..conversation import INFO

KEY = "sk-ant-top-secret"


@pytest.fixture
async def make_client(server):
    """Give a function that makes clients of the server, which are closed at the end."""
    clients = []

    def make(**arguments):
        arguments = {"model": "scripted", "model_info": INFO, "max_retries": 0, **arguments}
        clients.append(AnthropicChatCompletionClient(api_key=KEY, base_url=server.url, **arguments))
        return clients[-1]

    yield make
    for client in clients:
        await client.close()


@pytest.fixture
def client(make_client):
    return make_client()


@pytest.fixture
def picture():
    return Image(PillowImage.new("RGB", (1, 1), "red"))
