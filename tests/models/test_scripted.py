"""The scripted client gives scripted responses."""

import asyncio

import pytest

from ferrogen import CancellationToken, FunctionCall
from ferrogen.exceptions import ClientSetupError, ModelError
from ferrogen.models import (
    ChatCompletionClient,
    CreateResult,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    RequestUsage,
    SystemMessage,
    UserMessage,
)
from ferrogen.models.scripted import ScriptedClient
from ferrogen.testing import ScriptedModel

QUESTION = [
    SystemMessage(content="Be brief."),
    FunctionExecutionResultMessage(
        content=[FunctionExecutionResult(content="two words", name="f", call_id="1")]
    ),
    UserMessage(content=["Which way?"], source="traveller"),
]
CALL = CreateResult(
    finish_reason="function_calls",
    content=[FunctionCall(id="1", arguments="{}", name="map")],
    usage=RequestUsage(5, 7),
    cached=False,
)


async def test_responses_come_in_order_and_words_are_counted():
    client = ScriptedClient(["straight on", CALL])
    first, second = [await client.create(QUESTION) for _ in range(2)]
    assert (first.content, first.usage) == ("straight on", RequestUsage(6, 2))
    assert second is CALL
    assert client.total_usage() == client.actual_usage() == RequestUsage(11, 9)
    assert client.remaining_tokens(QUESTION) == 8192 - client.count_tokens(QUESTION)
    assert client.requests == [QUESTION] * 2


async def test_text_is_streamed_word_by_word_or_as_it_was_cut():
    client = ScriptedClient([" straight  on\n", ["stra", "ight"], CALL])
    *words, first = [item async for item in client.create_stream(QUESTION)]
    *pieces, second = [item async for item in client.create_stream(QUESTION)]
    assert (words, first.content) == ([" ", "straight  ", "on\n"], " straight  on\n")
    assert (pieces, second.content) == (["stra", "ight"], "straight")
    assert [item async for item in client.create_stream(QUESTION)] == [CALL]


async def test_it_fails_at_scripted_errors_and_after_the_last_response():
    client = ScriptedClient([["stra", TimeoutError("late")]])
    stream = client.create_stream(QUESTION)
    assert await anext(stream) == "stra"
    with pytest.raises(TimeoutError, match="late"):
        await anext(stream)
    with pytest.raises(ModelError, match="no more responses"):
        await client.create(QUESTION)


async def test_a_function_responds_to_every_request():
    client = ScriptedClient(lambda messages: messages[-1].content[0].upper())
    assert [(await client.create(QUESTION)).content for _ in range(2)] == ["WHICH WAY?"] * 2


async def test_a_cancelled_request_gets_no_response():
    token = CancellationToken()
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ScriptedClient(["left"]).create(QUESTION, cancellation_token=token)


def test_it_is_loaded_with_its_remaining_responses():
    dumped = ScriptedClient(["left", ["ri", "ght"], CALL], context_length=9).dump_component()
    loaded = ChatCompletionClient.load_component(dumped)
    assert loaded.dump_component() == dumped
    assert loaded.remaining_tokens([]) == 9


@pytest.mark.parametrize("lines", [[TimeoutError()], [["a", TimeoutError()]], len])
def test_what_cannot_be_written_is_not_dumped(lines):
    with pytest.raises(ClientSetupError, match="cannot be dumped"):
        ScriptedClient(lines).dump_component()


async def test_a_tool_call_is_one_line():
    call = ScriptedModel.call
    model = ScriptedModel([call("map", city="Zürich"), [call("map"), FunctionCall("a", "{}", "b")]])
    first, second = [await model.create(QUESTION) for _ in range(2)]
    assert first.content == [FunctionCall("call_1", '{"city": "Zürich"}', "map")]
    assert first.finish_reason == "function_calls"
    assert second.content == [FunctionCall("call_2", "{}", "map"), FunctionCall("a", "{}", "b")]


def test_calls_are_dumped_and_loaded():
    dumped = ScriptedModel([ScriptedModel.call("map", city="Rome"), "there"]).dump_component()
    assert dumped.provider == "ferrogen.testing.ScriptedModel"
    loaded = ChatCompletionClient.load_component(dumped)
    assert loaded.dump_component() == dumped


def test_a_config_of_the_former_class_is_loaded():
    config = ScriptedModel(["left"]).dump_component().config
    former = {"provider": "ferrogen.models.scripted.ScriptedClient", "config": config}
    assert isinstance(ChatCompletionClient.load_component(former), ScriptedModel)
