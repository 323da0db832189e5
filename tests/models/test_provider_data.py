"""Data that a service requires back goes where the calls of its model go, and comes back to it."""

from __future__ import annotations

import json
import pickle
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from ferrogen import FunctionCall
from ferrogen.model_context import UnboundedChatCompletionContext
from ferrogen.models import (
    AssistantMessage,
    ChatCompletionClient,
    CreateResult,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    UserMessage,
)
from ferrogen.models.anthropic import AnthropicChatCompletionClient
from ferrogen.models.middleware import Cached, Recorder, Replay, SqliteCacheStore
from ferrogen.models.openai import OpenAIChatCompletionClient

from .conversation import INFO
from .scripted_server import ScriptedServer, json_response, sse_response

QUESTION = UserMessage(content="What time is it?", source="me")
SIGNATURE = {"google": {"thought_signature": "SIG=="}}
CALL = {"id": "c1", "type": "function", "function": {"name": "time", "arguments": "{}"}}
GEMINI = {"content": None, "tool_calls": [{**CALL, "extra_content": SIGNATURE}]}
DEEPSEEK = {"content": "", "reasoning_content": "I need the clock.", "tool_calls": [CALL]}
DETAILS = [{"type": "reasoning.text", "text": "Hm.", "signature": "SIG==", "index": 0}]
OPENROUTER = {"content": None, "reasoning_details": DETAILS, "tool_calls": [CALL]}
THINKING = {"type": "thinking", "thinking": "I need the clock.", "signature": "SIG=="}
HIDDEN = {"type": "redacted_thinking", "data": "SIG=="}
TOOL_USE = {"type": "tool_use", "id": "c1", "name": "time", "input": {}}


def openai_response(message: dict[str, Any]) -> Any:
    return json_response({"choices": [{"message": message, "finish_reason": "tool_calls"}]})


def openai_stream(message: dict[str, Any]) -> Any:
    deltas = [{name: value} for name, value in message.items()]
    events: list[Any] = [{"choices": [{"delta": delta}]} for delta in deltas]
    return sse_response(*events, {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})


def anthropic_response(*blocks: dict[str, Any]) -> Any:
    usage = {"input_tokens": 1, "output_tokens": 1}
    body = {"type": "message", "content": blocks, "stop_reason": "tool_use", "usage": usage}
    return json_response(body)


@pytest.fixture
async def openai(server: ScriptedServer) -> AsyncIterator[OpenAIChatCompletionClient]:
    async with OpenAIChatCompletionClient(
        model="m", api_key="k", base_url=server.url, model_info=INFO, max_retries=0
    ) as client:
        yield client


@pytest.fixture
async def anthropic(server: ScriptedServer) -> AsyncIterator[AnthropicChatCompletionClient]:
    async with AnthropicChatCompletionClient(
        model="m", api_key="k", base_url=server.url, model_info=INFO, max_retries=0
    ) as client:
        yield client


def continued(result: CreateResult) -> list[LLMMessage]:
    """The conversation after a response with one call."""
    said = AssistantMessage(content=result.content, thought=result.thought, source="guide")
    came = FunctionExecutionResult(content="12:00", name="time", call_id="c1")
    return [QUESTION, said, FunctionExecutionResultMessage(content=[came])]


async def saved_and_loaded(messages: list[LLMMessage]) -> list[LLMMessage]:
    context, loaded = UnboundedChatCompletionContext(), UnboundedChatCompletionContext()
    for message in messages:
        await context.add_message(message)
    await loaded.load_state(json.loads(json.dumps(await context.save_state())))
    return await loaded.get_messages()


async def sent_back(
    server: ScriptedServer, client: ChatCompletionClient, messages: list[LLMMessage]
) -> dict[str, Any]:
    """Continue a conversation, and return the message with the calls that was sent."""
    content = [{"type": "text", "text": "noon"}]
    usage = {"input_tokens": 1, "output_tokens": 1}
    whole = {"choices": [{"message": {"content": "noon"}}], "type": "message", "usage": usage}
    server.play(json_response({**whole, "content": content}))
    await client.create(messages)
    [said] = [m for m in server.requests[-1].json["messages"] if m["role"] == "assistant"]
    return dict(said)


@pytest.mark.parametrize("answer", [openai_response, openai_stream])
@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (GEMINI, {"content": None, "tool_calls": [{**CALL, "extra_content": SIGNATURE}]}),
        (DEEPSEEK, {"content": None, "reasoning_content": "I need the clock."}),
        (OPENROUTER, {"content": None, "reasoning_details": DETAILS}),
        ({**GEMINI, "content": "I look."}, {"content": "I look."}),
    ],
)
async def test_it_is_sent_back_with_the_calls(
    server: ScriptedServer,
    openai: OpenAIChatCompletionClient,
    answer: Callable[[dict[str, Any]], Any],
    message: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    server.play(answer(message))
    if answer is openai_stream:
        *_, result = [item async for item in openai.create_stream([QUESTION])]
    else:
        result = await openai.create([QUESTION])
    assert isinstance(result, CreateResult)
    messages = continued(result)
    for each in (messages, await saved_and_loaded(messages)):
        said = await sent_back(server, openai, each)
        assert {name: said[name] for name in expected} == expected


@pytest.mark.parametrize("blocks", [[THINKING, TOOL_USE], [HIDDEN, TOOL_USE]])
async def test_signed_thoughts_are_sent_back_with_the_calls(
    server: ScriptedServer, anthropic: AnthropicChatCompletionClient, blocks: list[dict[str, Any]]
) -> None:
    server.play(anthropic_response(*blocks))
    messages = continued(await anthropic.create([QUESTION]))
    restarted = pickle.loads(pickle.dumps(await saved_and_loaded(messages)))
    async with AnthropicChatCompletionClient(
        model="m", api_key="k", base_url=server.url, model_info=INFO
    ) as another:
        for client in (anthropic, another):
            assert (await sent_back(server, client, restarted))["content"] == blocks


async def test_it_goes_through_a_cache_and_a_cassette(
    server: ScriptedServer, openai: OpenAIChatCompletionClient, tmp_path: Path
) -> None:
    server.play(openai_response(GEMINI))
    store = SqliteCacheStore(tmp_path / "cache.sqlite")
    recorder = Recorder(openai, tmp_path / "cassette.json")
    recorded = await Cached(recorder, store, model="m").create([QUESTION])
    cached = await Cached(openai, store, model="m").create([QUESTION])
    assert cached.cached
    replayed = await Replay(tmp_path / "cassette.json").create([QUESTION])
    async with OpenAIChatCompletionClient(
        model="m", api_key="k", base_url=server.url, model_info=INFO
    ) as another:
        for result in (recorded, cached, replayed):
            said = await sent_back(server, another, continued(result))
            assert said["tool_calls"][0]["extra_content"] == SIGNATURE
    store.close()


async def test_it_is_remembered_for_calls_that_are_created_anew(
    server: ScriptedServer, openai: OpenAIChatCompletionClient
) -> None:
    server.play(openai_response(DEEPSEEK))
    result = await openai.create([QUESTION])
    anew = result.model_copy(update={"content": [FunctionCall("c1", "{}", "time")]})
    said = await sent_back(server, openai, continued(anew))
    assert said["reasoning_content"] == "I need the clock."


async def test_it_is_not_sent_to_another_service(
    server: ScriptedServer, openai: OpenAIChatCompletionClient
) -> None:
    server.play(openai_response(DEEPSEEK))
    messages = continued(await openai.create([QUESTION]))
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    async with OpenAIChatCompletionClient(
        model="m", api_key="k", base_url=elsewhere, model_info=INFO
    ) as another:
        said = await sent_back(server, another, messages)
    assert "reasoning_content" not in said
    assert said["content"] == "I need the clock."


async def test_deepseek_gets_the_thought_of_another_model_as_reasoning(
    server: ScriptedServer,
) -> None:
    call = [FunctionCall("c1", "{}", "time")]
    said = AssistantMessage(content=call, thought="Hm.", source="guide")
    came = FunctionExecutionResult(content="12:00", name="time", call_id="c1")
    messages = [QUESTION, said, FunctionExecutionResultMessage(content=[came])]
    async with OpenAIChatCompletionClient(
        model="deepseek-reasoner", api_key="k", base_url=server.url, model_info=INFO
    ) as client:
        written = await sent_back(server, client, messages)
    assert (written["reasoning_content"], written["content"]) == ("Hm.", None)


def test_a_call_without_data_is_written_as_upstream_writes_it() -> None:
    call = FunctionCall("c1", "{}", "time")
    message = AssistantMessage(content=[call], source="guide")
    assert message.model_dump()["content"] == [{"id": "c1", "arguments": "{}", "name": "time"}]
    call.provider_data = {"x": 1}
    assert repr(call) == "FunctionCall(id='c1', arguments='{}', name='time')"
    assert call == FunctionCall("c1", "{}", "time")
