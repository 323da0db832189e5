"""The client for OpenAI's Responses API talks with a real model, which llama.cpp serves."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ferrogen.models import CreateResult
from ferrogen.models.openai import OpenAIResponsesClient

from .conversation import MODEL, QUESTION


@pytest.fixture
async def client(address: str) -> AsyncIterator[OpenAIResponsesClient]:
    async with OpenAIResponsesClient(
        model="SmolLM2-135M-Instruct",
        base_url=f"{address}/v1",
        model_info=MODEL,
        temperature=0,
        max_output_tokens=48,
    ) as made:
        yield made


async def test_it_responds_and_streams_the_same(client: OpenAIResponsesClient) -> None:
    whole = await client.create(QUESTION)
    *pieces, result = [item async for item in client.create_stream(QUESTION)]
    assert isinstance(result, CreateResult)
    assert "Paris" in str(whole.content)
    assert "".join(map(str, pieces)) == result.content == whole.content
    assert len(pieces) > 3
    assert result.usage.completion_tokens == whole.usage.completion_tokens > 0
