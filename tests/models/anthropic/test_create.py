"""Requests without streaming: the body that is sent, and the result of the response."""

import asyncio

import pytest
from pydantic import BaseModel

from ferrogen import CancellationToken, FunctionCall
from ferrogen.exceptions import (
    ModelInfoError,
    ModelRequestError,
    ModelResponseError,
    ToolSchemaError,
)
from ferrogen.models import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    SystemMessage,
    UserMessage,
)
from ferrogen.models.usage import DetailedUsage
from ferrogen.tools import FunctionTool

from ..scripted_server import json_response
from .frames import whole

QUESTION = [UserMessage(content="Weather in Turin?", source="traveller")]
SAYS = {"type": "text", "text": "Sunny."}
CALLS = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Turin"}}


async def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


WEATHER = FunctionTool(weather, "Tells the weather of a city.", strict=True)


class Forecast(BaseModel):
    sky: str
    degrees: int


async def test_a_request_carries_the_conversation_and_the_arguments_of_the_client(
    server, make_client
):
    server.play(whole(SAYS))
    client = make_client(temperature=0.5, max_tokens=99, stop_sequences=["END"])
    messages = [SystemMessage(content="Be brief."), *QUESTION]
    await client.create(messages, extra_create_args={"top_k": 4, "extra_headers": {"x-y": "z"}})
    [request] = server.requests
    assert request.path == "/v1/messages"
    assert request.headers["x-y"] == "z"
    assert request.json == {
        "model": "scripted",
        "max_tokens": 99,
        "temperature": 0.5,
        "top_k": 4,
        "stop_sequences": ["END"],
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Weather in Turin?"}]}],
    }


async def test_a_text_response(server, client):
    server.play(whole(SAYS, {"type": "text", "text": " Warm."}))
    result = await client.create(QUESTION)
    assert result.content == "Sunny. Warm."
    assert result.finish_reason == "stop"
    assert result.thought is None
    assert not result.cached


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("something new", "unknown"),
        (None, "unknown"),
    ],
)
async def test_the_finish_reason_of_a_response(server, client, stop_reason, finish_reason):
    server.play(whole(SAYS, stop_reason=stop_reason))
    assert (await client.create(QUESTION)).finish_reason == finish_reason


async def test_several_calls_with_words_and_thoughts_beside_them(server, client):
    second = {**CALLS, "id": "toolu_2", "input": {}}
    thought = {"type": "thinking", "thinking": "Two cities.", "signature": "abc"}
    server.play(whole(thought, SAYS, CALLS, second, stop_reason="tool_use"))
    result = await client.create(QUESTION, tools=[WEATHER])
    assert result.content == [
        FunctionCall(id="toolu_1", arguments='{"city":"Turin"}', name="weather"),
        FunctionCall(id="toolu_2", arguments="{}", name="weather"),
    ]
    assert result.thought == "Two cities.\n\nSunny."
    assert result.finish_reason == "function_calls"


async def test_thoughts_before_a_response(server, client):
    server.play(whole({"type": "thinking", "thinking": "Hm.", "signature": "abc"}, SAYS))
    result = await client.create(QUESTION)
    assert (result.content, result.thought) == ("Sunny.", "Hm.")


async def test_usage_counts_what_the_cache_took_part_in(server, make_client):
    client = make_client(model="claude-3-5-haiku-20241022")
    counts = {"cache_read_input_tokens": 100, "cache_creation_input_tokens": 50}
    details = {"output_tokens_details": {"thinking_tokens": 7}}
    server.play(whole(SAYS, **counts, **details), whole(SAYS))
    first = (await client.create(QUESTION)).usage
    assert isinstance(first, DetailedUsage)
    assert (first.prompt_tokens, first.completion_tokens) == (162, 30)
    assert (first.cached_tokens, first.cache_write_tokens, first.reasoning_tokens) == (100, 50, 7)
    # 12 tokens at 0.80 dollars a million, 100 at 0.08, 50 at 1.00, and 30 of the response at 4.00.
    assert first.cost == pytest.approx((12 * 0.8 + 100 * 0.08 + 50 * 1.0 + 30 * 4.0) / 1e6)
    second = (await client.create(QUESTION)).usage
    assert client.total_usage() == client.actual_usage() == first + second


async def test_missing_usage_is_estimated(server, client):
    server.play(json_response({"content": [SAYS]}))
    usage = (await client.create(QUESTION)).usage
    assert usage.estimated
    assert 4 < usage.prompt_tokens < 20
    assert 1 <= usage.completion_tokens < 5


@pytest.mark.parametrize("argument", ["Be kind.", [{"type": "text", "text": "Be kind."}]])
async def test_an_argument_may_speak_to_the_system_too(server, make_client, argument):
    server.play(whole(SAYS), whole(SAYS))
    client = make_client(prompt_cache="5m")
    extra = {"system": argument}
    await client.create(QUESTION, extra_create_args=extra)
    await client.create([SystemMessage(content="Be brief."), *QUESTION], extra_create_args=extra)
    alone, beside = (request.json["system"] for request in server.requests)
    mark = {"cache_control": {"type": "ephemeral"}}
    assert alone == [{"type": "text", "text": "Be kind.", **mark}]
    assert beside == [
        {"type": "text", "text": "Be kind."},
        {"type": "text", "text": "Be brief.", **mark},
    ]


@pytest.mark.parametrize("name", ["messages", "stream"])
async def test_what_the_client_sends_itself_is_no_argument(client, name):
    with pytest.raises(ModelRequestError, match=f"{name} is the client's"):
        await client.create(QUESTION, extra_create_args={name: True})


@pytest.mark.parametrize(
    ("tool_choice", "sent"),
    [
        ("auto", {"type": "auto"}),
        ("required", {"type": "any"}),
        ("none", {"type": "none"}),
        (WEATHER, {"type": "tool", "name": "weather"}),
    ],
)
async def test_tools_and_which_of_them_may_be_called(server, client, tool_choice, sent):
    server.play(whole(SAYS))
    await client.create(QUESTION, tools=[WEATHER], tool_choice=tool_choice)
    body = server.requests[0].json
    assert body["tool_choice"] == sent
    [tool] = body["tools"]
    assert tool["name"] == "weather"
    assert tool["description"] == "Tells the weather of a city."
    assert tool["strict"]
    assert tool["input_schema"]["properties"]["city"]["type"] == "string"
    assert tool["input_schema"]["required"] == ["city"]
    assert tool["input_schema"]["additionalProperties"] is False


async def test_a_model_without_schema_support_gets_no_strict_tools(server, make_client):
    known = {**dict.fromkeys(("vision", "structured_output"), False), "family": "unknown"}
    client = make_client(model_info={**known, "function_calling": True, "json_output": True})
    server.play(whole(SAYS))
    await client.create(QUESTION, tools=[WEATHER])
    assert "strict" not in server.requests[0].json["tools"][0]


async def test_a_choice_of_a_tool_that_is_not_there_is_refused(client):
    with pytest.raises(ModelRequestError, match="references 'weather'"):
        await client.create(QUESTION, tool_choice=WEATHER)
    with pytest.raises(ModelRequestError, match="must be a Tool"):
        await client.create(QUESTION, tools=[WEATHER], tool_choice="maybe")
    with pytest.raises(ToolSchemaError, match="letters, digits"):
        await client.create(QUESTION, tools=[{"name": " "}])


async def test_a_name_that_the_api_refuses_is_sent_in_another_form(server, client):
    tools = [{"name": "the weather"}, {"name": "the_weather"}, {"name": "the/weather"}]
    call = {"type": "tool_use", "id": "1", "name": "the_weather_2", "input": {}}
    server.play(whole(call, stop_reason="tool_use"))
    result = await client.create(QUESTION, tools=tools, tool_choice="required")
    sent = [tool["name"] for tool in server.requests[0].json["tools"]]
    assert sent == ["the_weather_2", "the_weather", "the_weather_3"]
    assert result.content[0].name == "the weather"


async def test_the_results_of_calls_go_back_with_the_thoughts_that_the_model_signed(server, client):
    thought = {"type": "thinking", "thinking": "Turin, then.", "signature": "abc"}
    hidden = {"type": "redacted_thinking", "data": "xyz"}
    blank = {"type": "text", "text": ""}
    server.play(whole(thought, hidden, blank, CALLS, stop_reason="tool_use"), whole(SAYS))
    first = await client.create(QUESTION, tools=[WEATHER])
    called = AssistantMessage(content=first.content, thought=first.thought, source="guide")
    done = FunctionExecutionResult(content="sunny", name="weather", call_id="toolu_1")
    results = FunctionExecutionResultMessage(content=[done])
    await client.create([*QUESTION, called, results])
    body = server.requests[1].json
    assert body["messages"][1]["content"] == [thought, hidden, CALLS]
    # The API wants the tools declared also where no more are to be called.
    assert body["tools"] == server.requests[0].json["tools"]
    assert body["tool_choice"] == {"type": "none"}


async def test_tools_of_calls_that_another_client_saw_are_declared_by_name(server, client):
    call = FunctionCall(id="1", arguments="{}", name="weather")
    server.play(whole(SAYS))
    await client.create([*QUESTION, AssistantMessage(content=[call], source="guide")])
    assert server.requests[0].json["tools"] == [
        {"name": "weather", "input_schema": {"type": "object"}}
    ]


async def test_tools_of_the_service_stand_beside_those_of_the_request(server, make_client):
    search = {"type": "web_search_20250305", "name": "web_search"}
    client = make_client(tools=[search], tool_choice="any")
    server.play(whole(SAYS), whole(SAYS))
    await client.create(QUESTION, tools=[WEATHER])
    await client.create(QUESTION, tool_choice="none")
    first, second = (request.json for request in server.requests)
    assert [tool["name"] for tool in first["tools"]] == ["weather", "web_search"]
    assert first["tool_choice"] == {"type": "any"}
    assert second["tool_choice"] == {"type": "none"}


@pytest.mark.parametrize(("lifetime", "mark"), [("5m", {}), ("1h", {"ttl": "1h"})])
async def test_the_prompt_cache_gets_its_breakpoints(server, make_client, lifetime, mark):
    client = make_client(prompt_cache=lifetime)
    server.play(whole(SAYS), whole(SAYS))
    await client.create([SystemMessage(content="Be brief."), *QUESTION], tools=[WEATHER])
    await client.create(QUESTION, tools=[WEATHER])
    with_system, with_tools = (request.json for request in server.requests)
    expected = {"type": "ephemeral", **mark}
    assert with_system["system"][-1]["cache_control"] == expected
    assert "cache_control" not in with_system["tools"][-1]
    assert with_tools["tools"][-1]["cache_control"] == expected
    assert with_tools["messages"][-1]["content"][-1]["cache_control"] == expected


async def test_abilities_the_model_lacks_are_rejected_before_the_request(
    server, make_client, picture
):
    nothing = dict.fromkeys(
        ("vision", "function_calling", "json_output", "structured_output"), False
    )
    client = make_client(model_info={**nothing, "family": "unknown"})
    shown = [UserMessage(content=["What is it?", picture], source="user")]
    with pytest.raises(ModelInfoError, match="does not support vision"):
        await client.create(shown)
    with pytest.raises(ModelInfoError, match="does not support function calling"):
        await client.create(QUESTION, tools=[WEATHER])
    with pytest.raises(ValueError, match="does not support JSON output"):
        await client.create(QUESTION, json_output=True)
    with pytest.raises(ModelInfoError, match="does not support structured output"):
        await client.create(QUESTION, json_output=Forecast)
    assert server.requests == []


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"content": 1}', b'{"content": [{}]}', b""])
async def test_an_unreadable_response_is_a_model_response_error(server, client, body):
    server.play(json_response(body))
    with pytest.raises(ModelResponseError, match="cannot be read"):
        await client.create(QUESTION)


async def test_cancelling_closes_the_connection(server, client):
    server.play([asyncio.Event()])
    token = CancellationToken()
    asking = asyncio.ensure_future(client.create(QUESTION, cancellation_token=token))
    await server.asked()
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await server.deserted()


async def test_cancelling_the_task_closes_the_connection_too(server, client):
    server.play([asyncio.Event()])
    asking = asyncio.ensure_future(client.create(QUESTION))
    await server.asked()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await server.deserted()
