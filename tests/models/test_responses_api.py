"""OpenAI's Responses API as a provider: what is sent, and what becomes of the response."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import BaseModel, RootModel

from ferrogen import FunctionCall
from ferrogen.exceptions import ModelError, ModelRateLimitError, ModelResponseError
from ferrogen.models import (
    AssistantMessage,
    ChatCompletionClient,
    CreateResult,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
)
from ferrogen.models.openai import OpenAIResponsesClient
from ferrogen.models.usage import DetailedUsage

from .conversation import INFO, QUESTION
from .scripted_server import Answer, ScriptedServer, json_response, sse_response

TEXT = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "noon"}],
}
REASONING = {"type": "reasoning", "id": "rs_1", "encrypted_content": "SIG==", "summary": []}
CALL = {"type": "function_call", "call_id": "c1", "id": "fc_1", "name": "time", "arguments": "{}"}
USAGE = {"input_tokens": 9, "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 2}}
FULL = {"message": "queue full"}
TOOL: Any = {"name": "time", "parameters": {"type": "object", "properties": {}}}


def response(*output: Any, status: str = "completed", **fields: Any) -> dict[str, Any]:
    body = {"object": "response", "status": status, "model": "m-1", "output": output}
    return {**body, "usage": USAGE, "error": None, **fields}


def stream(*output: Any, status: str = "completed", **fields: Any) -> Answer:
    """A stream that ends in a response, after its deltas and items."""
    events: list[dict[str, Any]] = [{"type": "response.created", "response": {}}]
    for item in output:
        for part in item.get("content", []):
            deltas = (part["text"][:2], part["text"][2:])
            events += [{"type": "response.output_text.delta", "delta": delta} for delta in deltas]
        events.append({"type": "response.output_item.done", "item": item})
    whole = response(*output, status=status, **fields)
    return sse_response(*events, {"type": f"response.{status}", "response": whole}, done=True)


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[OpenAIResponsesClient]:
    async with OpenAIResponsesClient(
        model="m", api_key="k", base_url=server.url, model_info=INFO, max_retries=0
    ) as client:
        yield client


async def both(
    server: ScriptedServer, client: OpenAIResponsesClient, *output: Any, **fields: Any
) -> CreateResult:
    """Ask whole and streamed; both give the same."""
    server.play(json_response(response(*output, **fields)), stream(*output, **fields))
    whole = await client.create(QUESTION, tools=[TOOL])
    *pieces, streamed = [item async for item in client.create_stream(QUESTION, tools=[TOOL])]
    assert streamed == whole
    if isinstance(whole.content, str):
        assert "".join(map(str, pieces)) == whole.content
    return whole


async def test_a_request_is_written_as_the_api_has_it(
    server: ScriptedServer, client: OpenAIResponsesClient
) -> None:
    server.play(json_response(response(TEXT)))
    await client.create(QUESTION, tools=[TOOL], extra_create_args={"max_output_tokens": 9})
    request = server.requests[0]
    assert request.path == "/responses"
    assert request.json == {
        "model": "m",
        "store": False,
        "stream": False,
        "include": ["reasoning.encrypted_content"],
        "max_output_tokens": 9,
        "tools": [
            {
                "type": "function",
                "name": "time",
                "description": "",
                "parameters": TOOL["parameters"],
                "strict": False,
            }
        ],
        "tool_choice": "auto",
        "input": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What time is it?"},
        ],
    }


async def test_text_is_the_content(server: ScriptedServer, client: OpenAIResponsesClient) -> None:
    result = await both(server, client, TEXT)
    assert (result.content, result.finish_reason) == ("noon", "stop")
    assert result.usage == DetailedUsage(9, 4, reasoning_tokens=2)


async def test_calls_are_sent_back_with_their_reasoning(
    server: ScriptedServer, client: OpenAIResponsesClient
) -> None:
    result = await both(server, client, REASONING, CALL)
    assert result.content == [FunctionCall("c1", "{}", "time")]
    assert result.finish_reason == "function_calls"
    came = FunctionExecutionResult(content="12:00", name="time", call_id="c1")
    said = AssistantMessage(content=result.content, source="guide")
    said = AssistantMessage.model_validate_json(said.model_dump_json())
    server.play(json_response(response(TEXT)))
    await client.create([*QUESTION, said, FunctionExecutionResultMessage(content=[came])])
    assert server.requests[-1].json["input"][2:] == [
        REASONING,
        {"type": "function_call", "call_id": "c1", "name": "time", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "12:00"},
    ]


async def test_an_incomplete_response_has_its_reason(
    server: ScriptedServer, client: OpenAIResponsesClient
) -> None:
    details = {"incomplete_details": {"reason": "max_output_tokens"}}
    result = await both(server, client, TEXT, status="incomplete", **details)
    assert (result.content, result.finish_reason) == ("noon", "length")


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (
            json_response(response(status="failed", error={"message": "queue full"})),
            ModelError,
            "qu",
        ),
        (json_response(response(status="failed")), ModelError, "failed"),
        (
            stream(status="failed", error={"code": "rate_limit_exceeded", "message": "queue full"}),
            ModelRateLimitError,
            "queue full",
        ),
        (
            sse_response({"type": "error", "code": "server_error", "message": "queue full"}),
            ModelError,
            "queue full",
        ),
        (
            sse_response({"type": "response.output_text.delta", "delta": "no"}),
            ModelResponseError,
            "before",
        ),
        (json_response(b"<html>"), ModelResponseError, "cannot be read"),
    ],
)
async def test_an_error_is_never_a_result(
    server: ScriptedServer,
    client: OpenAIResponsesClient,
    answer: Answer,
    kind: type[Exception],
    words: str,
) -> None:
    server.otherwise = answer
    with pytest.raises(kind, match=words):
        await client.create(QUESTION)
    with pytest.raises(kind, match=words):
        async for _ in client.create_stream(QUESTION):
            pass


class Steps(RootModel[list[str]]):
    pass


class Time(BaseModel):
    hour: int


async def test_structured_output(server: ScriptedServer, client: OpenAIResponsesClient) -> None:
    server.play(json_response(response(TEXT)))
    await client.create(QUESTION, json_output=Time)
    form = server.requests[0].json["text"]["format"]
    assert (form["type"], form["name"], form["strict"]) == ("json_schema", "Time", True)
    text = json.dumps({"value": ["a", "b"]})
    wrapped = {**TEXT, "content": [{"type": "output_text", "text": text}]}
    server.play(stream(wrapped))
    *pieces, result = [item async for item in client.create_stream(QUESTION, json_output=Steps)]
    assert isinstance(result, CreateResult)
    assert pieces == [result.content]
    assert Steps.model_validate_json(str(result.content)).root == ["a", "b"]


def test_it_is_a_component_with_typed_arguments() -> None:
    client = OpenAIResponsesClient(
        model="gpt-5", api_key="sk-secret-key", reasoning={"effort": "low"}
    )
    dumped = client.dump_component()
    assert dumped.provider == "ferrogen.models.openai.OpenAIResponsesClient"
    assert "secret" not in dumped.model_dump_json() + repr(client)
    assert ChatCompletionClient.load_component(dumped).dump_component() == dumped
    with pytest.raises(TypeError, match="no argument 'reasonning'; did you mean 'reasoning'"):
        OpenAIResponsesClient(model="gpt-5", reasonning={})  # type: ignore[call-arg]
