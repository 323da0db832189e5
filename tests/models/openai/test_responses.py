"""A response in one piece becomes a result, whatever its service leaves out."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

from ferrogen import FunctionCall
from ferrogen.exceptions import ModelResponseError
from ferrogen.models import (
    ChatCompletionTokenLogprob,
    CreateResult,
    ModelInfo,
    TopLogprob,
)
from ferrogen.models.openai import OpenAIChatCompletionClient
from ferrogen.models.usage import DetailedUsage

from ..scripted_server import ScriptedServer, json_response
from .responses import HELLO, USAGE, whole

MakeClient = Callable[..., OpenAIChatCompletionClient]
R1: ModelInfo = {
    "vision": False,
    "function_calling": False,
    "json_output": False,
    "structured_output": False,
    "family": "r1",
}


async def result_of(
    server: ScriptedServer, client: OpenAIChatCompletionClient, body: Any
) -> CreateResult:
    server.play(json_response(body))
    return await client.create(HELLO)


async def test_text_is_the_content(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    result = await result_of(server, client, whole("ciao"))
    assert (result.content, result.finish_reason, result.cached) == ("ciao", "stop", False)
    assert (result.thought, result.logprobs) == (None, None)


@pytest.mark.parametrize(
    ("reported", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "function_calls"),
        ("STOP", "stop"),
        ("because", "unknown"),
        (None, "unknown"),
    ],
)
async def test_the_reason_is_translated(
    server: ScriptedServer, client: OpenAIChatCompletionClient, reported: Any, reason: str
) -> None:
    assert (await result_of(server, client, whole("x", reported))).finish_reason == reason


async def test_calls_are_the_content_and_text_beside_them_is_the_thought(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    calls = [
        {"id": "1", "function": {"name": "add", "arguments": '{"a": 1}'}},
        {"id": "2", "function": {"name": "add", "arguments": '{"a": 2}'}},
    ]
    result = await result_of(server, client, whole("let me see", "tool_calls", tool_calls=calls))
    assert result.content == [
        FunctionCall(id="1", name="add", arguments='{"a": 1}'),
        FunctionCall(id="2", name="add", arguments='{"a": 2}'),
    ]
    assert (result.finish_reason, result.thought) == ("function_calls", "let me see")


async def test_calls_are_recognized_with_another_finish_reason(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    calls = [{"id": "1", "function": {"name": "add", "arguments": "{}"}}]
    result = await result_of(server, client, whole(None, "stop", tool_calls=calls))
    assert result.finish_reason == "function_calls"


async def test_truncated_calls_have_the_finish_reason_length(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    calls = [{"id": "1", "function": {"name": "add", "arguments": '{"a":'}}]
    result = await result_of(server, client, whole(None, "length", tool_calls=calls))
    assert result.finish_reason == "length"
    assert result.content == [FunctionCall(id="1", name="add", arguments='{"a":')]


@pytest.mark.parametrize(
    ("arguments", "text"), [({"a": 1}, '{"a": 1}'), ("", "{}"), (None, "{}"), ("{a", "{a")]
)
async def test_arguments_are_text_whatever_the_service_sends(
    server: ScriptedServer, client: OpenAIChatCompletionClient, arguments: Any, text: str
) -> None:
    calls = [{"id": "1", "function": {"name": "a b", "arguments": arguments}}]
    result = await result_of(server, client, whole(None, tool_calls=calls))
    assert result.content == [FunctionCall(id="1", name="a_b", arguments=text)]


async def test_calls_without_ids_get_some_that_differ(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    calls = [{"function": {"name": "add", "arguments": "{}"}} for _ in range(2)]
    result = await result_of(server, client, whole(None, tool_calls=calls))
    ids = [call.id for call in result.content if isinstance(call, FunctionCall)]
    assert len(set(ids)) == 2
    assert all(ids)


async def test_a_refusal_is_reported_with_its_text_and_reason(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    result = await result_of(server, client, whole(None, refusal="I will not"))
    assert (result.content, result.finish_reason) == ("I will not", "content_filter")


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_reasoning_is_the_thought(
    server: ScriptedServer, client: OpenAIChatCompletionClient, field: str
) -> None:
    result = await result_of(server, client, whole("4", **{field: "2 + 2"}))
    assert (result.thought, result.content) == ("2 + 2", "4")


async def test_reasoning_in_the_text_is_the_thought(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    result = await result_of(server, client, whole("<think>\n2 + 2\n</think>\n\n4"))
    assert (result.thought, result.content) == ("2 + 2", "4")


async def test_a_text_that_speaks_of_thinking_is_left_alone(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    text = "write </think> behind <think>"
    assert (await result_of(server, client, whole(text))).content == text


async def test_reasoning_that_the_template_began_is_the_thought(
    server: ScriptedServer, client_of: MakeClient
) -> None:
    client = client_of(model="local", model_info=R1)
    result = await result_of(server, client, whole("2 + 2\n</think>\n4"))
    assert (result.thought, result.content) == ("2 + 2", "4")


async def test_text_may_come_as_a_list_of_parts(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    body = whole()
    body["choices"][0]["message"]["content"] = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "2 + 2"}]},
        {"type": "text", "text": "4"},
    ]
    result = await result_of(server, client, body)
    assert (result.thought, result.content) == ("2 + 2", "4")


async def test_probabilities_are_kept(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    body = whole("a")
    token = {"token": "a", "logprob": -0.1, "bytes": [97]}
    likely = [{"token": "b", "logprob": -2.3, "bytes": None}]
    body["choices"][0]["logprobs"] = {"content": [{**token, "top_logprobs": likely}]}
    assert (await result_of(server, client, body)).logprobs == [
        ChatCompletionTokenLogprob(
            token="a", logprob=-0.1, bytes=[97], top_logprobs=[TopLogprob(logprob=-2.3)]
        )
    ]


async def test_usage_is_read_with_its_details_and_has_its_cost(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 600, "audio_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 40, "audio_tokens": 2},
    }
    result = await result_of(server, client, {**whole("x"), "usage": usage})
    assert result.usage == DetailedUsage(
        1000,
        100,
        cached_tokens=600,
        reasoning_tokens=40,
        audio_tokens=3,
        cost=pytest.approx((400 * 2.5 + 600 * 1.25 + 100 * 10) / 1e6),
    )


async def test_deepseeks_word_for_cached_tokens_is_understood(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    usage = {**USAGE, "prompt_cache_hit_tokens": 5}
    result = await result_of(server, client, {**whole("x"), "usage": usage})
    assert isinstance(result.usage, DetailedUsage)
    assert result.usage.cached_tokens == 5


@pytest.mark.parametrize(
    "usage", [None, {}, {"prompt_tokens": None}, {"prompt_tokens": 0, "completion_tokens": 0}]
)
async def test_missing_usage_is_estimated(
    server: ScriptedServer, client: OpenAIChatCompletionClient, usage: Any
) -> None:
    result = await result_of(server, client, {**whole("one two three"), "usage": usage})
    assert isinstance(result.usage, DetailedUsage)
    assert result.usage.estimated
    assert result.usage.prompt_tokens == client.count_tokens(HELLO)
    assert result.usage.completion_tokens == 3


async def test_usage_adds_up(server: ScriptedServer, client: OpenAIChatCompletionClient) -> None:
    for _ in range(2):
        await result_of(server, client, whole("x"))
    assert (client.total_usage().prompt_tokens, client.actual_usage().completion_tokens) == (18, 8)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>busy</html>",
        b'{"choices": [',
        b"[]",
        b'{"choices": "none"}',
        b'{"choices": []}',
        b'{"choices": [{"message": {"content": 3}}]}',
        b'{"choices": [{"message": {"content": "\xff"}}]}',
        b'{"choices": [3]}',
        b'{"choices": [{"message": {"content": true}}]}',
        b"[" * 100_000,
    ],
)
async def test_an_invalid_response_is_a_typed_error(
    server: ScriptedServer, client: OpenAIChatCompletionClient, body: bytes
) -> None:
    with pytest.raises(ModelResponseError):
        await result_of(server, client, body)


async def test_a_response_without_an_end_does_not_use_all_memory(
    server: ScriptedServer, client: OpenAIChatCompletionClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ferrogen.models.providers._http.LARGEST_BODY", 1000)
    server.play(json_response(b"x" * 10_000))
    with pytest.raises(ModelResponseError, match="more than 1000 bytes"):
        await client.create(HELLO)


async def test_nothing_is_warned_of(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await result_of(server, client, {**whole(""), "model": "gpt-4o-2030-01-01"})
