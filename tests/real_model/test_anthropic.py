"""The client of Anthropic's API with a real server and model."""

import asyncio
import os
import subprocess
import sys

import pytest

from ferrogen import CancellationToken, FunctionCall
from ferrogen.exceptions import ModelStatusError
from ferrogen.models import (
    AssistantMessage,
    CreateResult,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    UserMessage,
)
from ferrogen.models.anthropic import AnthropicChatCompletionClient

from .conversation import QUESTION

MODEL = "SmolLM2-135M-Instruct"
KNOWS = {
    "vision": False,
    "function_calling": True,
    "json_output": False,
    "structured_output": False,
    "family": "unknown",
}


@pytest.fixture
async def client(address):
    client = AnthropicChatCompletionClient(
        model=MODEL, api_key="none", base_url=address, model_info=KNOWS, max_retries=0
    )
    yield client
    await client.close()


async def test_it_responds(client):
    result = await client.create(QUESTION, extra_create_args={"max_tokens": 30})
    assert isinstance(result.content, str)
    assert result.content
    assert result.finish_reason in {"stop", "length"}
    assert result.usage.prompt_tokens > 10
    assert 0 < result.usage.completion_tokens <= 30
    assert client.total_usage() == result.usage


async def test_a_response_may_be_cut_off(client):
    result = await client.create(QUESTION, extra_create_args={"max_tokens": 2})
    assert (result.finish_reason, result.usage.completion_tokens) == ("length", 2)


async def test_it_streams(client):
    arguments = {"max_tokens": 30}
    items = [item async for item in client.create_stream(QUESTION, extra_create_args=arguments)]
    *pieces, result = items
    assert isinstance(result, CreateResult)
    assert len(pieces) > 1
    assert "".join(pieces) == result.content
    assert result.usage.prompt_tokens > 10
    # A piece of this server's is a token; the last one may be a token that is not shown.
    assert len(pieces) <= result.usage.completion_tokens <= 30


async def test_it_continues_a_conversation_in_which_tools_were_called(client):
    call = FunctionCall(id="call_1", name="weather", arguments='{"city": "Turin"}')
    done = FunctionExecutionResult(content="sunny", name="weather", call_id="call_1")
    messages = [
        UserMessage(content="What is the weather in Turin?", source="user"),
        AssistantMessage(content=[call], source="guide"),
        FunctionExecutionResultMessage(content=[done]),
    ]
    result = await client.create(messages, extra_create_args={"max_tokens": 20})
    assert result.usage.completion_tokens > 0


async def test_cancelling_makes_the_server_free_for_the_next_question(client):
    token = CancellationToken()
    long = {"max_tokens": 1500, "stop_sequences": ["\0"]}

    async def listen():
        pieces = client.create_stream(QUESTION, extra_create_args=long, cancellation_token=token)
        async for _ in pieces:
            token.cancel()

    with pytest.raises(asyncio.CancelledError):
        await listen()
    # It serves one request at a time.
    assert (await client.create(QUESTION, extra_create_args={"max_tokens": 2})).content


async def test_a_prompt_that_is_too_long_is_refused(client):
    endless = [UserMessage(content="word " * 5000, source="user")]
    with pytest.raises(ModelStatusError, match="context") as caught:
        await client.create(endless)
    assert caught.value.status == 400


def test_one_can_chat_with_it_on_the_command_line(address):
    environment = {name: text for name, text in os.environ.items() if "ANTHROPIC" not in name}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ferrogen", "chat", "--provider", "anthropic"),
            *("--model", MODEL, "--base-url", address, "--max-tokens", "20"),
        ],
        env=environment,
        input="What is the capital of France?\nAnd of Italy?\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) > 1
    assert "prompt tokens: " in done.stderr
