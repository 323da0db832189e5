"""Ollama's own API as a provider: what is sent, and what becomes of the response."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import BaseModel

from ferrogen import FunctionCall
from ferrogen.exceptions import (
    ModelConnectionError,
    ModelError,
    ModelRequestError,
    ModelResponseError,
    ModelStatusError,
    ModelTimeoutError,
)
from ferrogen.models import (
    AssistantMessage,
    ChatCompletionClient,
    CreateResult,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    LLMMessage,
)
from ferrogen.models.ollama import OllamaChatCompletionClient

from .conversation import INFO, QUESTION
from .scripted_server import HANG_UP, Answer, ScriptedServer, json_response, raw

END = {"done": True, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 4}
CALL = {"function": {"name": "time", "arguments": {"zone": "Zürich"}}}
TOOLS: Any = [{"name": "time"}, {"name": "date"}]


def lines(*objects: Any) -> Answer:
    body = b"".join(json.dumps(each).encode() + b"\n" for each in objects)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ncontent-length: %d\r\n\r\n"
    return raw(head % len(body) + body)


def said(**message: Any) -> dict[str, Any]:
    return {"model": "m", "message": {"role": "assistant", **message}, "done": False}


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[OllamaChatCompletionClient]:
    async with OllamaChatCompletionClient(
        model="m", base_url=server.url, model_info=INFO, options={"temperature": 0}
    ) as client:
        yield client


async def test_a_request_is_written_as_the_api_has_it(
    server: ScriptedServer, client: OllamaChatCompletionClient
) -> None:
    server.play(json_response({**said(content="noon"), **END}))
    call = FunctionCall("1", '{"zone": 1}', "time")
    came = FunctionExecutionResult(content="12:00", name="time", call_id="1")
    messages: list[LLMMessage] = [
        *QUESTION,
        AssistantMessage(content=[call], source="guide"),
        FunctionExecutionResultMessage(content=[came]),
    ]
    await client.create(messages, tools=TOOLS, extra_create_args={"think": True})
    request = server.requests[0]
    assert request.path == "/api/chat"
    body = request.json
    assert [tool["function"]["name"] for tool in body.pop("tools")] == ["time", "date"]
    assert body == {
        "model": "m",
        "stream": False,
        "options": {"temperature": 0},
        "think": True,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What time is it?"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"function": {"name": "time", "arguments": {"zone": 1}}}],
            },
            {"role": "tool", "content": "12:00", "tool_name": "time"},
        ],
    }


async def test_a_response_is_the_same_whole_and_streamed(
    server: ScriptedServer, client: OllamaChatCompletionClient
) -> None:
    server.play(json_response({**said(content="noon", thinking="Hm."), **END}))
    server.play(lines(said(thinking="Hm."), said(content="no"), said(content="on"), said() | END))
    whole = await client.create(QUESTION)
    *pieces, streamed = [item async for item in client.create_stream(QUESTION)]
    assert streamed == whole
    assert pieces == ["<think>Hm.", "</think>", "no", "on"]
    assert (whole.content, whole.thought, whole.finish_reason) == ("noon", "Hm.", "stop")
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (9, 4)


async def test_calls_get_ids_and_readable_arguments(
    server: ScriptedServer, client: OllamaChatCompletionClient
) -> None:
    server.play(lines(said(content="", tool_calls=[CALL]), said(tool_calls=[CALL]), END))
    *_, result = [item async for item in client.create_stream(QUESTION, tools=TOOLS)]
    assert isinstance(result, CreateResult)
    calls = [call for call in result.content if isinstance(call, FunctionCall)]
    assert [(call.name, call.arguments) for call in calls] == [("time", '{"zone": "Zürich"}')] * 2
    assert len({call.id for call in calls}) == 2


async def test_a_call_cannot_be_required(client: OllamaChatCompletionClient) -> None:
    with pytest.raises(ModelRequestError, match="cannot require a call"):
        await client.create(QUESTION, tools=TOOLS, tool_choice="required")


class Time(BaseModel):
    hour: int


async def test_structured_output(
    server: ScriptedServer, client: OllamaChatCompletionClient
) -> None:
    server.otherwise = json_response({**said(content="{}"), **END})
    await client.create(QUESTION, json_output=Time)
    await client.create(QUESTION, json_output=True)
    first, second = (request.json["format"] for request in server.requests)
    assert first["properties"] == {"hour": {"type": "integer"}}
    assert second == "json"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (json_response({"error": "queue full"}), ModelError),
        (lines(said(content="no"), {"error": "queue full"}), ModelError),
        (json_response({"error": "queue full"}, 503), ModelStatusError),
        (lines(said(content="no")), ModelResponseError),
        (raw(HANG_UP), ModelConnectionError),
    ],
)
async def test_an_error_is_never_a_result(
    server: ScriptedServer,
    client: OllamaChatCompletionClient,
    answer: Answer,
    kind: type[Exception],
) -> None:
    server.play(answer)
    with pytest.raises(kind):
        async for _ in client.create_stream(QUESTION):
            pass


async def test_a_service_that_is_not_there_or_silent_is_a_typed_error(
    server: ScriptedServer,
) -> None:
    import asyncio

    server.play(raw(asyncio.Event()))
    async with OllamaChatCompletionClient(
        model="m", base_url=server.url, model_info=INFO, timeout=0.05
    ) as silent:
        with pytest.raises(ModelTimeoutError):
            await silent.create(QUESTION)
    async with OllamaChatCompletionClient(
        model="m", base_url="http://127.0.0.1:1", model_info=INFO
    ) as gone:
        with pytest.raises(ModelConnectionError, match="cannot be reached"):
            await gone.create(QUESTION)


def test_it_is_a_component_with_typed_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "elsewhere:1")
    client = OllamaChatCompletionClient(model="qwen3:8b", api_key="sk-secret-key")
    dumped = client.dump_component()
    assert dumped.provider == "ferrogen.models.ollama.OllamaChatCompletionClient"
    assert "secret" not in dumped.model_dump_json() + repr(client) + str(vars(client))
    assert ChatCompletionClient.load_component(dumped).dump_component() == dumped
    with pytest.raises(TypeError, match="no argument 'option'; did you mean 'options'"):
        OllamaChatCompletionClient(model="m", option={})  # type: ignore[call-arg]


def test_it_needs_no_sdk() -> None:
    program = "import sys; sys.modules['openai'] = None; import ferrogen.models.ollama"
    subprocess.run([sys.executable, "-c", program], check=True)
