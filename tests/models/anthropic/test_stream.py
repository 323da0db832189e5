"""Streams: the pieces as they come, and the result that they make."""

import asyncio
import json

import pytest

from ferrogen import CancellationToken, FunctionCall
from ferrogen.exceptions import ModelConnectionError
from ferrogen.models import (
    AssistantMessage,
    CreateResult,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    UserMessage,
)

from ..scripted_server import HANG_UP, sse_body
from .frames import (
    PING,
    delta,
    ended,
    frame,
    opened,
    start,
    stream,
    text,
    thinking,
    tool_use,
    whole,
)

QUESTION = [UserMessage(content="Weather in Turin?", source="traveller")]
TOOL = {"name": "weather", "description": "Tells the weather."}


async def collected(client, messages=QUESTION, **options):
    items = [item async for item in client.create_stream(messages, **options)]
    assert isinstance(items[-1], CreateResult)
    return items[:-1], items[-1]


async def test_the_pieces_of_a_response_make_its_content(server, client):
    server.play(stream(start(), PING, text(0, "Sun", "", "ny"), PING, text(1, "."), ended()))
    pieces, result = await collected(client)
    assert pieces == ["Sun", "ny", "."]
    assert (result.content, result.finish_reason, result.thought) == ("Sunny.", "stop", None)
    assert server.requests[0].json["stream"] is True


async def test_usage_is_what_was_counted_last(server, client):
    server.play(
        stream(
            start(cache_read_input_tokens=5),
            text(0, "Hi"),
            ended(input_tokens=20, output_tokens=40),
        ),
        stream(start(), text(0, "Hi"), ended()),
    )
    _, first = await collected(client)
    assert (first.usage.prompt_tokens, first.usage.completion_tokens) == (25, 40)
    assert first.usage.cached_tokens == 5
    _, second = await collected(client)
    assert (second.usage.prompt_tokens, second.usage.completion_tokens) == (12, 30)
    assert client.total_usage() == first.usage + second.usage


@pytest.mark.parametrize("ending", [HANG_UP, asyncio.Event()])
async def test_what_was_written_of_a_stream_that_did_not_end_is_counted(server, client, ending):
    begun = stream(start(), thinking(0, "s", "Let me see. "), text(1, "Sunny, and warm."))
    server.play([*begun[:-1], ending])
    responses = client.create_stream(QUESTION)
    assert await anext(responses) == "Sunny, and warm."
    if ending is HANG_UP:
        with pytest.raises(ModelConnectionError):
            await anext(responses)
    else:
        await responses.aclose()
    used = client.total_usage()
    assert (used.prompt_tokens, used.estimated) == (12, True)
    assert 4 < used.completion_tokens < 15


async def test_calls_whose_arguments_are_split_anywhere(server, client):
    arguments = '{"city": "Turin", "note": "\\u00e8 bello"}'
    server.play(
        stream(
            start(),
            text(0, "I shall look."),
            tool_use(1, "weather", "toolu_1", *arguments),
            tool_use(2, "weather", "toolu_2"),
            ended("tool_use"),
        )
    )
    pieces, result = await collected(client, tools=[TOOL])
    assert pieces == ["I shall look."]
    assert result.content == [
        FunctionCall(id="toolu_1", arguments=arguments, name="weather"),
        FunctionCall(id="toolu_2", arguments="{}", name="weather"),
    ]
    assert result.thought == "I shall look."
    assert result.finish_reason == "function_calls"


async def test_blocks_that_are_written_at_the_same_time(server, client):
    server.play(
        stream(
            start(),
            opened(0, type="tool_use", id="a", name="weather", input={}),
            opened(1, type="tool_use", id="b", name="weather", input={}),
            delta(1, "input_json_delta", partial_json='{"b":'),
            delta(0, "input_json_delta", partial_json='{"a":'),
            delta(1, "input_json_delta", partial_json="2}"),
            delta(0, "input_json_delta", partial_json="1}"),
            ended("tool_use"),
        )
    )
    _, result = await collected(client, tools=[TOOL])
    assert [(call.id, call.arguments) for call in result.content] == [
        ("a", '{"a":1}'),
        ("b", '{"b":2}'),
    ]


async def test_arguments_that_break_off_are_left_for_the_tool_to_refuse(server, client):
    server.play(
        stream(start(), tool_use(0, "weather", "toolu_1", '{"city": "Tu'), ended("max_tokens")),
        whole({"type": "text", "text": "Again."}),
    )
    _, result = await collected(client, tools=[TOOL])
    assert result.content[0].arguments == '{"city": "Tu'
    assert result.finish_reason == "length"
    # And the model is shown what it wrote.
    called = AssistantMessage(content=result.content, source="guide")
    await client.create([*QUESTION, called], tools=[TOOL])
    assert server.requests[1].json["messages"][1]["content"][0]["input"] == {"text": '{"city": "Tu'}


async def test_thoughts_are_separate_and_are_sent_back_signed_with_the_results(server, client):
    server.play(
        stream(
            start(),
            thinking(0, "signed", "Let me", " see."),
            tool_use(1, "weather", "toolu_1", '{"city": "Turin"}'),
            ended("tool_use"),
        ),
        stream(start(), thinking(0, "again", "So."), text(1, "Sunny."), ended()),
    )
    pieces, first = await collected(client, tools=[TOOL])
    assert (pieces, first.thought) == ([], "Let me see.")
    done = FunctionExecutionResult(content="sun", name="weather", call_id="toolu_1")
    messages = [
        *QUESTION,
        AssistantMessage(content=first.content, thought=first.thought, source="guide"),
        FunctionExecutionResultMessage(content=[done]),
    ]
    pieces, second = await collected(client, messages, tools=[TOOL])
    assert (pieces, second.content, second.thought) == (["Sunny."], "Sunny.", "So.")
    assert server.requests[1].json["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "Let me see.", "signature": "signed"},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Turin"}},
    ]


@pytest.mark.parametrize("size", [1, 2, 7, 64])
async def test_it_does_not_matter_where_the_bytes_are_split(server, client, size):
    events = [start(), *text(0, "Perché no? ", "😀"), *ended()]
    body = b": a comment\r\n\r\n" + b"".join(map(frame, events)).replace(b"\n", b"\r\n")
    server.play(sse_body(*(body[at : at + size] for at in range(0, len(body), size))))
    _, result = await collected(client)
    assert result.content == "Perché no? 😀"


async def test_events_and_pieces_of_kinds_that_are_new_are_passed_over(server, client):
    server.play(
        stream(
            start(),
            {"type": "weather_report", "sky": "blue"},
            opened(0, type="hologram", shape="cat"),
            delta(0, "hologram_delta", angle=3),
            text(1, "Hi"),
            ended(),
        )
    )
    assert (await collected(client))[1].content == "Hi"


async def test_the_connection_is_used_again_after_a_stream(server, client):
    server.play(*[stream(start(), text(0, "Hi"), ended())] * 2)
    await collected(client)
    await collected(client)
    assert server.accepted == 1


async def test_a_result_does_not_wait_for_the_end_of_the_response(server, client, monkeypatch):
    monkeypatch.setattr("ferrogen.models.providers._http.DRAIN_SECONDS", 0)
    response = stream(start(), text(0, "Hi"), ended())
    server.play([*response[:-1], asyncio.Event()])
    assert (await collected(client))[1].content == "Hi"
    await server.deserted()


async def test_a_response_is_counted_before_its_connection_is_read_to_the_end(
    server, client, monkeypatch
):
    async def interrupted(_):
        raise asyncio.CancelledError

    monkeypatch.setattr("ferrogen.models.providers._http.Exchange.drain", interrupted)
    server.play(stream(start(), text(0, "Hi"), ended()))
    with pytest.raises(asyncio.CancelledError):
        await collected(client)
    assert client.total_usage().completion_tokens == 30


async def test_cancelling_in_the_middle_closes_the_connection(server, client):
    token = CancellationToken()
    server.play([*stream(start(), text(0, "Sun"))[:-1], asyncio.Event()])
    received = []

    async def listen():
        async for piece in client.create_stream(QUESTION, cancellation_token=token):
            received.append(piece)
            asyncio.get_running_loop().call_soon(token.cancel)

    with pytest.raises(asyncio.CancelledError):
        await listen()
    assert received == ["Sun"]
    await server.deserted()


async def test_leaving_a_stream_closes_the_connection(server, client):
    server.play([*stream(start(), text(0, "Sun"))[:-1], asyncio.Event()])
    responses = client.create_stream(QUESTION)
    assert await anext(responses) == "Sun"
    await responses.aclose()
    await server.deserted()


async def test_a_response_that_is_already_in_the_first_event(server, client):
    server.play(stream(start(), opened(0, type="text", text="Hi"), ended()))
    pieces, result = await collected(client)
    assert (pieces, result.content) == (["Hi"], "Hi")


async def test_arguments_that_are_already_in_the_first_event(server, client):
    block = opened(0, type="tool_use", id="a", name="weather", input={"city": "Turin"})
    server.play(stream(start(), block, ended("tool_use")))
    _, result = await collected(client, tools=[TOOL])
    assert json.loads(result.content[0].arguments) == {"city": "Turin"}
