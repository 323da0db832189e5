"""Structured output: by the output format of the service, or by a tool call."""

import json

import pytest
from pydantic import BaseModel, Field, RootModel

from ferrogen import FunctionCall
from ferrogen.exceptions import ModelRequestError
from ferrogen.models import UserMessage
from ferrogen.models.providers.anthropic.structured import ANSWER_TOOL

from ..conversation import INFO
from .frames import ended, start, stream, text, tool_use, whole

QUESTION = [UserMessage(content="Weather in Turin?", source="traveller")]
TOOL = {"name": "weather", "description": "Tells the weather."}
FORECAST = '{"sky": "blue", "degrees": 21}'
BY_TOOL = {**INFO, "structured_output": False}


class Forecast(BaseModel):
    sky: str
    degrees: int = Field(ge=-90)


def tool_response(response=FORECAST):
    block = {"type": "tool_use", "id": "t", "name": ANSWER_TOOL, "input": json.loads(response)}
    return whole(block, stop_reason="tool_use")


async def collected(client, **options):
    items = [item async for item in client.create_stream(QUESTION, **options)]
    return items[:-1], items[-1]


async def test_a_model_that_keeps_to_schemas_gets_it_as_its_output_format(server, client):
    server.play(whole({"type": "text", "text": FORECAST}))
    result = await client.create(QUESTION, json_output=Forecast, tools=[TOOL])
    assert Forecast.model_validate_json(result.content) == Forecast(sky="blue", degrees=21)
    body = server.requests[0].json
    schema = body["output_config"]["format"]["schema"]
    assert body["output_config"]["format"]["type"] == "json_schema"
    assert schema["additionalProperties"] is False
    assert "minimum" not in schema["properties"]["degrees"]  # the API refuses limits
    assert [tool["name"] for tool in body["tools"]] == ["weather"]
    assert body["tool_choice"] == {"type": "auto"}


async def test_the_output_format_stands_beside_other_configuration(server, client):
    server.play(whole({"type": "text", "text": FORECAST}))
    extra = {"output_config": {"effort": "low"}}
    await client.create(QUESTION, json_output=Forecast, extra_create_args=extra)
    assert set(server.requests[0].json["output_config"]) == {"effort", "format"}


async def test_another_model_has_to_call_a_tool_that_takes_the_response(server, make_client):
    server.play(tool_response())
    result = await make_client(model_info=BY_TOOL).create(QUESTION, json_output=Forecast)
    assert Forecast.model_validate_json(result.content) == Forecast(sky="blue", degrees=21)
    assert result.finish_reason == "stop"
    body = server.requests[0].json
    assert body["tool_choice"] == {"type": "tool", "name": ANSWER_TOOL}
    assert body["tools"][0]["input_schema"]["properties"]["degrees"]["minimum"] == -90
    assert "output_config" not in body


async def test_such_a_response_is_streamed_as_it_is_written(server, make_client):
    pieces = [FORECAST[:5], FORECAST[5:12], FORECAST[12:]]
    server.play(
        stream(start(), text(0, "Here:"), tool_use(1, ANSWER_TOOL, "t", *pieces), ended("tool_use"))
    )
    client = make_client(model_info=BY_TOOL)
    pieces_received, result = await collected(client, json_output=Forecast)
    assert pieces_received == ["Here:", *pieces]
    assert (result.content, result.thought, result.finish_reason) == (FORECAST, "Here:", "stop")


async def test_with_tools_the_model_calls_one_of_them_or_responds(server, make_client):
    client = make_client(model_info=BY_TOOL)
    call = tool_use(0, "weather", "w", '{"city": "Turin"}')
    server.play(stream(start(), call, ended("tool_use")), tool_response())
    pieces_received, first = await collected(client, json_output=Forecast, tools=[TOOL])
    assert pieces_received == []
    assert first.content == [FunctionCall("w", '{"city": "Turin"}', "weather")]
    assert (await client.create(QUESTION, json_output=Forecast, tools=[TOOL])).content
    body = server.requests[0].json
    assert [tool["name"] for tool in body["tools"]] == ["weather", ANSWER_TOOL]
    assert body["tool_choice"] == {"type": "any"}


async def test_a_model_that_thinks_cannot_be_made_to_call_that_tool(server, make_client):
    client = make_client(model_info=BY_TOOL, thinking={"type": "enabled", "budget_tokens": 1024})
    with pytest.raises(ModelRequestError, match="thinking="):
        await client.create(QUESTION, json_output=Forecast)
    server.play(tool_response())
    still = {"thinking": {"type": "disabled"}}
    result = await client.create(QUESTION, json_output=Forecast, extra_create_args=still)
    assert Forecast.model_validate_json(result.content)


async def test_a_call_precedes_a_response_that_is_given_at_the_same_time(server, make_client):
    client = make_client(model_info=BY_TOOL)
    call = {"type": "tool_use", "id": "w", "name": "weather", "input": {}}
    early = {"type": "tool_use", "id": "t", "name": ANSWER_TOOL, "input": {}}
    server.play(whole(call, early, stop_reason="tool_use"))
    result = await client.create(QUESTION, json_output=Forecast, tools=[TOOL])
    assert result.content == [FunctionCall("w", "{}", "weather")]


async def test_a_model_that_must_call_a_tool_of_the_user_cannot_respond(server, make_client):
    server.play(whole({"type": "tool_use", "id": "w", "name": "weather", "input": {}}))
    await make_client(model_info=BY_TOOL).create(
        QUESTION, json_output=Forecast, tools=[TOOL], tool_choice="required"
    )
    body = server.requests[0].json
    assert [tool["name"] for tool in body["tools"]] == ["weather"]
    assert body["tool_choice"] == {"type": "any"}


async def test_a_model_that_may_call_no_tool_responds(server, make_client):
    server.play(tool_response())
    await make_client(model_info=BY_TOOL).create(
        QUESTION, json_output=Forecast, tools=[TOOL], tool_choice="none"
    )
    assert server.requests[0].json["tool_choice"] == {"type": "tool", "name": ANSWER_TOOL}


@pytest.mark.parametrize(
    "wish",
    [
        {"json_output": True},
        {"extra_create_args": {"response_format": {"type": "json_object"}}},
    ],
)
async def test_json_of_whatever_shape_is_an_object(server, client, wish):
    server.play(tool_response('{"any": ["shape"]}'))
    result = await client.create(QUESTION, **wish)
    assert json.loads(result.content) == {"any": ["shape"]}
    assert server.requests[0].json["tools"][0]["input_schema"] == {"type": "object"}


@pytest.mark.parametrize(
    "wish",
    [
        {"json_output": Forecast.model_json_schema()},
        {
            "extra_create_args": {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "f", "schema": Forecast.model_json_schema()},
                }
            }
        },
    ],
)
async def test_a_schema_is_as_good_as_a_class(server, client, wish):
    server.play(whole({"type": "text", "text": FORECAST}))
    await client.create(QUESTION, **wish)
    body = server.requests[0].json
    assert set(body["output_config"]["format"]["schema"]["properties"]) == {"sky", "degrees"}
    assert "response_format" not in body


@pytest.mark.parametrize("wish", [{"json_output": False}, {"json_output": None}])
async def test_a_response_may_be_free(server, make_client, wish):
    server.play(whole({"type": "text", "text": "Blue."}))
    await make_client(response_format={"type": "text"}).create(QUESTION, **wish)
    assert {"tools", "output_config"}.isdisjoint(server.requests[0].json)


async def test_a_text_response_is_returned_unchanged(server, make_client):
    server.play(whole({"type": "text", "text": "I would rather not."}, stop_reason="refusal"))
    result = await make_client(model_info=BY_TOOL).create(QUESTION, json_output=Forecast)
    assert (result.content, result.finish_reason) == ("I would rather not.", "content_filter")


@pytest.mark.parametrize("wish", [{"json_output": int}, {"json_output": "yes"}])
async def test_what_is_no_format_is_refused(client, wish):
    with pytest.raises(ModelRequestError, match="json_output is a bool"):
        await client.create(QUESTION, **wish)


@pytest.mark.parametrize("wish", [{"type": "xml"}, {"type": "json_schema"}, {}])
async def test_what_is_no_response_format_is_refused(client, wish):
    with pytest.raises(ModelRequestError, match="response_format"):
        await client.create(QUESTION, extra_create_args={"response_format": wish})


class Step(BaseModel):
    text: str


class Steps(RootModel[list[Step]]):
    pass


@pytest.mark.parametrize("native", [True, False])
async def test_a_list_is_requested_inside_an_object_and_returned_without_it(
    server, make_client, native
):
    text = '{"value": [{"text": "a"}]}'
    call = {"type": "tool_use", "id": "1", "name": "final_answer", "input": json.loads(text)}
    server.play(whole({"type": "text", "text": text} if native else call))
    client = make_client(model_info={**INFO, "structured_output": native})
    result = await client.create(QUESTION, json_output=Steps)
    sent = server.requests[0].json
    schema = (
        sent["output_config"]["format"]["schema"] if native else sent["tools"][0]["input_schema"]
    )
    assert schema["type"] == "object"
    assert Steps.model_validate_json(result.content).root == [Step(text="a")]


async def test_a_field_without_a_form_is_an_error_that_names_it(client):
    class Tree(BaseModel):
        branches: "list[Tree]"

    with pytest.raises(ModelRequestError, match="Tree contains itself"):
        await client.create(QUESTION, json_output=Tree)
