"""What is asked goes out as the chat API has it, and as the families want it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ferrogen import FunctionCall, Image
from ferrogen.exceptions import (
    ClientSetupError,
    ModelInfoError,
    ModelRequestError,
    ToolSchemaError,
)
from ferrogen.models import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    SystemMessage,
    UserMessage,
)
from ferrogen.models.openai import OpenAIChatCompletionClient
from ferrogen.tools import ToolSchema

from ..scripted_server import ScriptedServer, json_response
from .responses import HELLO, whole

MakeClient = Callable[..., OpenAIChatCompletionClient]
WEATHER: ToolSchema = {
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CALL = FunctionCall(id="1", name="weather", arguments='{"city": "Turin"}')
DOT = (  # a picture of one pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJ"
    "RU5ErkJggg=="
)


async def sent(
    server: ScriptedServer,
    client: OpenAIChatCompletionClient,
    messages: list[LLMMessage] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Ask, and give what arrived at the service."""
    server.play(json_response(whole("hi")))
    await client.create(messages or HELLO, **options)
    body: dict[str, Any] = server.requests[-1].json
    return body


async def wires(
    server: ScriptedServer, client: OpenAIChatCompletionClient, *messages: LLMMessage
) -> list[dict[str, Any]]:
    body = await sent(server, client, list(messages))
    return list(body["messages"])


async def test_requests_go_to_the_given_url_with_the_key(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    body = await sent(server, client)
    request = server.requests[0]
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"].startswith("Bearer sk-")
    assert body == {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "hello", "name": "me"}],
        "stream": False,
    }


async def test_each_kind_of_message_has_its_role(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    assert await wires(
        server,
        client,
        SystemMessage(content="be brief"),
        UserMessage(content="weather?", source="me"),
        AssistantMessage(content=[CALL], thought="I look it up", source="guide"),
        FunctionExecutionResultMessage(
            content=[FunctionExecutionResult(content="sunny", name="weather", call_id="1")]
        ),
        AssistantMessage(content="sunny", thought="easy", source="guide"),
    ) == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "weather?", "name": "me"},
        {
            "role": "assistant",
            "content": "I look it up",
            "tool_calls": [
                {
                    "id": "1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Turin"}'},
                }
            ],
        },
        {"role": "tool", "content": "sunny", "tool_call_id": "1"},
        {"role": "assistant", "content": "sunny"},
    ]


async def test_calls_without_a_thought_have_null_for_a_text(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    [wire] = await wires(server, client, AssistantMessage(content=[CALL], source="guide"))
    assert wire["content"] is None


@pytest.mark.parametrize("arguments", ['{"city": ', "[1]", "", "Turin"])
async def test_a_call_that_was_no_json_is_sent_back_as_json_that_shows_it(
    server: ScriptedServer, client: OpenAIChatCompletionClient, arguments: str
) -> None:
    call = FunctionCall(id="1", name="weather", arguments=arguments)
    [wire] = await wires(server, client, AssistantMessage(content=[call], source="guide"))
    sent_back = json.loads(wire["tool_calls"][0]["function"]["arguments"])
    assert sent_back == {"malformed_arguments": arguments}


async def test_calls_without_ids_get_some_and_their_results_the_same(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    calls = [FunctionCall(id="", name="weather", arguments="{}") for _ in range(2)]
    results = [FunctionExecutionResult(content=c, name="weather", call_id="") for c in "ab"]
    called, *returned = await wires(
        server,
        client,
        AssistantMessage(content=calls, source="guide"),
        FunctionExecutionResultMessage(content=results),
    )
    ids = [call["id"] for call in called["tool_calls"]]
    assert ids == [wire["tool_call_id"] for wire in returned]
    assert len(set(ids)) == 2


async def test_pictures_are_parts_of_a_message(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    image = Image.from_base64(DOT)
    [wire] = await wires(server, client, UserMessage(content=["look:", image], source="me"))
    assert wire["content"][0] == {"type": "text", "text": "look:"}
    assert wire["content"][1]["type"] == "image_url"
    assert wire["content"][1]["image_url"]["url"].startswith("data:image/png;base64,")


async def test_a_picture_for_a_model_that_sees_none_is_refused(client_of: MakeClient) -> None:
    client = client_of(model="gpt-3.5-turbo")
    message = UserMessage(content=[Image.from_base64(DOT)], source="me")
    with pytest.raises(ModelInfoError, match="Model does not support vision"):
        await client.create([message])


async def test_a_name_is_written_in_the_signs_that_the_api_takes(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    [wire] = await wires(server, client, UserMessage(content="x", source="Zoë & co" * 20))
    assert wire["name"].startswith("Zo____coZo_")
    assert len(wire["name"]) == 64


async def test_names_can_stand_in_the_text_or_nowhere(
    server: ScriptedServer, client_of: MakeClient
) -> None:
    client = client_of(add_name_prefixes=True, include_name_in_message=False)
    [text, parts] = await wires(
        server,
        client,
        UserMessage(content="x", source="me"),
        UserMessage(content=["y", "z"], source="me"),
    )
    assert text == {"role": "user", "content": "me said:\nx"}
    assert [part["text"] for part in parts["content"]] == ["me said:\ny", "z"]


@pytest.mark.parametrize(
    ("model", "name", "empty"),
    [("gpt-4o", "me", ""), ("mistral-large", None, ""), ("gemini-2.5-pro", "me", " ")],
)
async def test_families_have_their_ways(
    server: ScriptedServer, client_of: MakeClient, model: str, name: str | None, empty: str
) -> None:
    [wire] = await wires(server, client_of(model=model), UserMessage(content="", source="me"))
    assert (wire.get("name"), wire["content"]) == (name, empty)


async def test_blank_texts_are_left_out_for_claude(
    server: ScriptedServer, client_of: MakeClient
) -> None:
    last = AssistantMessage(content="Once upon a time ", source="guide")
    blank = UserMessage(content=" ", source="me")
    wire = await wires(server, client_of(model="claude-3-haiku"), *HELLO, blank, last)
    assert [message["content"] for message in wire] == ["hello", "Once upon a time"]
    assert last.content == "Once upon a time "


async def test_system_messages_are_put_together_for_models_that_take_one(
    server: ScriptedServer, client_of: MakeClient
) -> None:
    client = client_of(model="gemini-2.5-pro")
    [system, user] = await wires(
        server, client, SystemMessage(content="a"), SystemMessage(content="b"), *HELLO
    )
    assert system == {"role": "system", "content": "a\nb"}
    assert user["role"] == "user"
    with pytest.raises(ModelRequestError, match="Multiple and Not continuous system messages"):
        await client.create([SystemMessage(content="a"), *HELLO, SystemMessage(content="b")])


async def test_tools_are_described(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    body = await sent(server, client, tools=[WEATHER, {"name": "stop"}])
    assert [tool["function"] for tool in body["tools"]] == [
        {**WEATHER, "strict": False},
        {"name": "stop", "description": "", "parameters": {}, "strict": False},
    ]
    assert body["tool_choice"] == "auto"


async def test_a_name_that_services_refuse_is_sent_in_another_form(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    calls = [{"id": "1", "function": {"name": "the_weather", "arguments": "{}"}}]
    server.play(json_response(whole(None, tool_calls=calls)), json_response(whole("sunny")))
    tools: list[ToolSchema] = [{"name": "the weather"}, {"name": "x" * 80}]
    result = await client.create(HELLO, tools=tools)
    assert result.content == [FunctionCall(id="1", name="the weather", arguments="{}")]
    said = AssistantMessage(
        content=[call for call in result.content if not isinstance(call, str)], source="a"
    )
    await client.create([*HELLO, said], tools=tools)
    first, second = (request.json for request in server.requests)
    sent = [tool["function"]["name"] for tool in first["tools"]]
    assert sent == ["the_weather", "x" * 64]
    assert second["messages"][1]["tool_calls"][0]["function"]["name"] == "the_weather"


async def test_a_tool_without_a_name_is_refused(client: OpenAIChatCompletionClient) -> None:
    with pytest.raises(ToolSchemaError, match="empty name"):
        await client.create(HELLO, tools=[{"name": ""}])


@pytest.mark.parametrize("choice", ["auto", "required", "none"])
async def test_the_choice_is_passed_on(
    server: ScriptedServer, client: OpenAIChatCompletionClient, choice: Any
) -> None:
    body = await sent(server, client, tools=[WEATHER], tool_choice=choice)
    assert body["tool_choice"] == choice


async def test_a_choice_among_nothing_is_not_sent(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    assert "tool_choice" not in await sent(server, client, tool_choice="required")


async def test_functions_for_a_model_that_calls_none_are_refused(client_of: MakeClient) -> None:
    with pytest.raises(ModelInfoError, match="Model does not support function calling"):
        await client_of(model="o1-mini").create(HELLO, tools=[WEATHER])


async def test_arguments_of_a_request_go_before_those_of_the_client(
    server: ScriptedServer, client_of: MakeClient
) -> None:
    client = client_of(temperature=0, seed=7)
    extra = {"seed": 8, "logprobs": True, "extra_body": {"top_k": 3}}
    body = await sent(server, client, extra_create_args=extra)
    assert {name: body[name] for name in ("temperature", "seed", "logprobs", "top_k")} == {
        "temperature": 0,
        "seed": 8,
        "logprobs": True,
        "top_k": 3,
    }
    assert "extra_body" not in body


async def test_headers_and_queries_go_where_they_belong(
    server: ScriptedServer, client_of: MakeClient
) -> None:
    client = client_of(default_headers={"x-team": "blue"}, default_query={"a": "1"})
    extra = {"extra_headers": {"x-trace": "t"}, "extra_query": {"b": "2"}, "timeout": 5}
    body = await sent(server, client, extra_create_args=extra)
    request = server.requests[0]
    assert (request.headers["x-team"], request.headers["x-trace"]) == ("blue", "t")
    assert request.path.endswith("?a=1&b=2")
    assert set(body) == {"model", "messages", "stream"}


async def test_an_unknown_argument_is_rejected(client_of: MakeClient) -> None:
    words = r"no argument 'temprature'; did you mean 'temperature'\?; .* go into extra_body"
    for kind in (ModelRequestError, ClientSetupError, TypeError):
        with pytest.raises(kind, match=words):
            client_of(temprature=0)
        with pytest.raises(kind, match=words):
            await client_of().create(HELLO, extra_create_args={"temprature": 0})


@pytest.mark.parametrize("name", ["n", "stream", "messages", "functions"])
async def test_an_argument_that_the_client_decides_is_refused(
    client: OpenAIChatCompletionClient, name: str
) -> None:
    with pytest.raises(ModelRequestError, match=f"Disallowed create args are present: {name}"):
        await client.create(HELLO, extra_create_args={name: 1})


async def test_what_has_no_form_in_json_is_refused(client: OpenAIChatCompletionClient) -> None:
    with pytest.raises(ModelRequestError, match="the request cannot be written"):
        await client.create(HELLO, extra_create_args={"metadata": {"a": object()}})


async def test_a_stream_asks_for_the_usage(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.otherwise = json_response(whole("hi"))
    for options in (
        {},
        {"include_usage": False},
        {"extra_create_args": {"stream_options": {"include_usage": False}}},
    ):
        async for _ in client.create_stream(HELLO, **options):  # type: ignore[arg-type]
            pass
    assert [request.json.get("stream_options") for request in server.requests] == [
        {"include_usage": True},
        None,
        {"include_usage": False},
    ]
    assert all(request.json["stream"] is True for request in server.requests)


async def test_contradictory_wishes_about_usage_are_refused(
    client: OpenAIChatCompletionClient,
) -> None:
    extra = {"stream_options": {"include_usage": False}}
    with pytest.raises(ModelRequestError, match="differ in value"):
        async for _ in client.create_stream(HELLO, extra_create_args=extra, include_usage=True):
            pass
