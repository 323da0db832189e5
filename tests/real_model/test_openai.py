"""The client for OpenAI's chat API talks with a real model, which llama.cpp serves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from pydantic import BaseModel

from ferrogen import EVENT_LOGGER_NAME, CancellationToken
from ferrogen.exceptions import ModelStatusError
from ferrogen.models import CreateResult, UserMessage
from ferrogen.models.openai import OpenAIChatCompletionClient
from ferrogen.models.usage import DetailedUsage

from .conftest import chat_client
from .conversation import QUESTION


@pytest.fixture
async def client(address: str) -> AsyncIterator[OpenAIChatCompletionClient]:
    made = chat_client(address, max_tokens=48)
    yield made
    await made.close()


async def test_it_responds(client: OpenAIChatCompletionClient) -> None:
    result = await client.create(QUESTION)
    assert "Paris" in str(result.content)
    assert result.finish_reason == "stop"
    assert isinstance(result.usage, DetailedUsage)
    assert not result.usage.estimated
    assert result.usage.prompt_tokens == pytest.approx(client.count_tokens(QUESTION), rel=0.5)


async def test_it_streams_the_same_response_with_its_usage(
    client: OpenAIChatCompletionClient,
) -> None:
    whole = await client.create(QUESTION)
    *pieces, result = [item async for item in client.create_stream(QUESTION)]
    assert isinstance(result, CreateResult)
    assert len(pieces) > 3
    assert "".join(map(str, pieces)) == result.content == whole.content
    assert isinstance(result.usage, DetailedUsage)
    assert not result.usage.estimated
    assert result.usage.completion_tokens == whole.usage.completion_tokens
    assert client.total_usage().completion_tokens == 2 * whole.usage.completion_tokens


class Sum(BaseModel):
    first: int
    second: int
    correct: bool


@pytest.mark.parametrize("streaming", [False, True])
async def test_it_is_held_to_a_class(client: OpenAIChatCompletionClient, streaming: bool) -> None:
    question = [UserMessage(content="Write 2 + 3 as JSON.", source="pupil")]
    if streaming:
        *_, result = [item async for item in client.create_stream(question, json_output=Sum)]
        assert isinstance(result, CreateResult)
    else:
        result = await client.create(question, json_output=Sum)
    assert isinstance(Sum.model_validate_json(str(result.content)), Sum)


async def test_it_returns_probabilities(client: OpenAIChatCompletionClient) -> None:
    extra = {"logprobs": True, "top_logprobs": 2, "max_tokens": 3}
    result = await client.create(QUESTION, extra_create_args=extra)
    assert result.logprobs
    assert all(token.logprob <= 0 for token in result.logprobs)
    assert result.finish_reason == "length"


async def test_it_stops_on_request(client: OpenAIChatCompletionClient) -> None:
    token = CancellationToken()
    stream = client.create_stream(
        QUESTION, extra_create_args={"max_tokens": 1500}, cancellation_token=token
    )
    await anext(stream)
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await anext(stream)
    # It serves one at a time: this would wait for the end of the other one.
    assert (await client.create(QUESTION)).content


async def test_its_complaints_are_typed(
    client: OpenAIChatCompletionClient, caplog: pytest.LogCaptureFixture
) -> None:
    too_long = [UserMessage(content="word " * 5000, source="bore")]
    with caplog.at_level(logging.INFO, EVENT_LOGGER_NAME), pytest.raises(ModelStatusError) as got:
        await client.create(too_long)
    assert got.value.status == 400
    assert not caplog.records
