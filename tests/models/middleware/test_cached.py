"""A cache hit returns the stored response, with its pieces and details."""

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import BaseModel

from ferrogen import CacheStore, Component, FunctionCall, InMemoryStore
from ferrogen.exceptions import ClientSetupError, SerializationError
from ferrogen.models import (
    AssistantMessage,
    ChatCompletionClient,
    ChatCompletionTokenLogprob,
    CreateResult,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    RequestUsage,
    SystemMessage,
    UserMessage,
)
from ferrogen.models.middleware import Cached, Retrying, SqliteCacheStore
from ferrogen.models.scripted import ScriptedClient
from ferrogen.models.usage import DetailedUsage

from .fakes import QUESTION, GatedClient, ManualClock, asking, text_and_result

FULL = CreateResult(
    finish_reason="function_calls",
    content=[FunctionCall(id="1", arguments='{"to": "Turin"}', name="map")],
    usage=DetailedUsage(10, 5, cached_tokens=4, reasoning_tokens=2, cost=0.25),
    cached=False,
    thought="the map knows",
    logprobs=[ChatCompletionTokenLogprob(token="a", logprob=-0.5)],
)


class Place(BaseModel):
    name: str


def numbered():
    """A client whose every response is another one."""
    return ScriptedClient([f"answer {number}" for number in range(99)])


async def test_the_second_response_equals_the_first_in_every_detail():
    inner = ScriptedClient([FULL])
    client = Cached(inner)
    first, second = [await client.create(QUESTION) for _ in range(2)]
    assert first is FULL
    assert second == FULL.model_copy(update={"cached": True})
    assert isinstance(second.usage, DetailedUsage)
    assert len(inner.requests) == 1


async def test_tokens_from_memory_are_used_but_not_paid_for():
    client = Cached(ScriptedClient([FULL]))
    for _ in range(3):
        await client.create(QUESTION)
    assert client.actual_usage() == RequestUsage(10, 5)
    total = client.total_usage()
    assert (total.prompt_tokens, total.completion_tokens) == (30, 15)


async def test_a_stream_is_given_again_in_the_pieces_it_came_in():
    client = Cached(ScriptedClient([["st", "raight", " on"]]))
    first = [item async for item in client.create_stream(QUESTION)]
    second = [item async for item in client.create_stream(QUESTION)]
    assert first[:-1] == second[:-1] == ["st", "raight", " on"]
    assert (first[-1].cached, second[-1].cached) == (False, True)
    assert (await client.create(QUESTION)).content == "straight on"


async def test_what_was_not_streamed_is_streamed_in_one_piece():
    client = Cached(ScriptedClient(["straight on", FULL]))
    await client.create(QUESTION)
    assert (await text_and_result(client.create_stream(QUESTION)))[0] == "straight on"
    await client.create(asking("call"))
    assert len([item async for item in client.create_stream(asking("call"))]) == 1


REQUESTS = [
    (QUESTION, {}),
    (asking("Which way to Turin"), {}),
    ([UserMessage(content="Which way to Turin?", source="stranger")], {}),
    ([SystemMessage(content="Be brief."), *QUESTION], {}),
    ([*QUESTION, AssistantMessage(content="left", source="guide")], {}),
    ([*QUESTION, AssistantMessage(content="left", source="guide", thought="or not")], {}),
    (
        [
            FunctionExecutionResultMessage(
                content=[FunctionExecutionResult(content="x", name="map", call_id="1")]
            )
        ],
        {},
    ),
    (QUESTION, {"tools": [{"name": "map"}]}),
    (QUESTION, {"tools": [{"name": "map", "description": "knows"}]}),
    (QUESTION, {"tools": [{"name": "map"}], "tool_choice": "required"}),
    (QUESTION, {"json_output": True}),
    (QUESTION, {"json_output": False}),
    (QUESTION, {"json_output": Place}),
    (QUESTION, {"extra_create_args": {"seed": 1}}),
    (QUESTION, {"extra_create_args": {"seed": "1"}}),
]


async def test_requests_that_differ_in_anything_are_different():
    client = Cached(numbered())
    responses = [
        (await client.create(messages, **options)).content for messages, options in REQUESTS
    ]
    assert len(set(responses)) == len(REQUESTS)
    again = [(await client.create(messages, **options)).content for messages, options in REQUESTS]
    assert again == responses


async def test_defaults_and_the_order_of_arguments_make_no_difference():
    client = Cached(numbered())
    first = await client.create(QUESTION, extra_create_args={"seed": 1, "n": 1})
    second = await client.create(
        tuple(QUESTION), tools=[], tool_choice="auto", extra_create_args={"n": 1, "seed": 1}
    )
    assert first.content == second.content


async def test_clients_share_cached_responses_only_with_the_same_model():
    store = InMemoryStore()
    one, other = ScriptedClient(["left"] * 3), ScriptedClient(["right"] * 3)
    same = ScriptedClient(["left"] * 3)
    assert (await Cached(one, store).create(QUESTION)).content == "left"
    assert (await Cached(other, store).create(QUESTION)).content == "right"
    assert (await Cached(Retrying(same), store).create(asking("x"))).cached is False
    assert (await Cached(same, store, model="m").create(QUESTION)).cached is False
    assert (await Cached(other, store, model="m").create(QUESTION)).content == "left"


async def test_a_wrapper_around_the_client_leaves_the_model_the_same():
    store = InMemoryStore()
    await Cached(ScriptedClient(["left"]), store).create(QUESTION)
    assert (await Cached(Retrying(ScriptedClient(["left"])), store).create(QUESTION)).cached


async def test_an_expired_response_is_requested_again():
    clock = ManualClock()
    client = Cached(numbered(), ttl_seconds=60, clock=clock)
    contents = []
    for _ in range(4):
        contents.append((await client.create(QUESTION)).content)
        await clock.advance(30)
    assert contents == ["answer 0", "answer 0", "answer 1", "answer 1"]


@pytest.mark.parametrize("line", [TimeoutError(), ["le", TimeoutError()]])
async def test_errors_are_not_remembered(line):
    client = Cached(ScriptedClient([line, "left"]), model="m")
    with pytest.raises(TimeoutError):
        await text_and_result(client.create_stream(QUESTION))
    assert (await client.create(QUESTION)).content == "left"


async def test_a_stream_that_is_left_early_is_ended_and_not_remembered():
    inner = GatedClient([["le", "ft"], "right"], after=1)
    client = Cached(inner)
    stream = client.create_stream(QUESTION)
    await anext(stream)
    await stream.aclose()
    assert inner.broken_off == 1
    inner.gate.set()
    assert (await client.create(QUESTION)).content == "right"


async def test_a_stream_closed_after_the_result_is_cached():
    inner = ScriptedClient([["le", "ft"]])
    client = Cached(inner)
    stream = client.create_stream(QUESTION)
    while not isinstance(await anext(stream), CreateResult):
        pass
    await stream.aclose()
    assert (await client.create(QUESTION)).cached


class BrokenStore(CacheStore[str]):
    def get(self, key, default=None):
        raise OSError("no disk")

    def set(self, key, value):
        raise OSError("no disk")


class OddStore(InMemoryStore):
    def get(self, key, default=None):
        return '{"at": 1, "pieces": [], "result": {"content": "left"}}'


@pytest.mark.parametrize("store", [BrokenStore(), OddStore()])
async def test_a_failing_store_is_logged_and_the_model_is_called(store, caplog):
    client = Cached(numbered(), store)
    with caplog.at_level(logging.WARNING, "autogen_core.models"):
        assert (await client.create(QUESTION)).content == "answer 0"
        assert (await client.create(QUESTION)).content == "answer 1"
    assert "the cache could not be read, so the model is asked" in caplog.messages


async def test_a_store_is_used_in_another_thread(tmp_path):
    threads = set()

    class Watched(SqliteCacheStore):
        def get(self, key, default=None):
            threads.add(threading.current_thread())
            return super().get(key, default)

    client = Cached(numbered(), Watched(tmp_path / "answers.sqlite"))
    await client.create(QUESTION)
    assert threads
    assert threading.main_thread() not in threads
    await client.close()


async def test_responses_in_a_file_outlive_the_client(tmp_path):
    for expected in (False, True):
        store = SqliteCacheStore(tmp_path / "answers.sqlite")
        client = Cached(ScriptedClient([FULL]), store)
        result = await client.create(QUESTION)
        assert result == FULL.model_copy(update={"cached": expected})
        await client.close()


async def test_an_argument_that_cannot_be_written_is_refused_by_its_name():
    with pytest.raises(SerializationError, match="extra argument 'callback'"):
        await Cached(numbered()).create(QUESTION, extra_create_args={"callback": object()})


def test_a_client_that_cannot_say_its_model_needs_one():
    with pytest.raises(ClientSetupError, match="give its name as the model argument"):
        Cached(ScriptedClient(len))
    Cached(ScriptedClient(len), model="words")


class KeyConfig(BaseModel):
    model: str
    api_key: str


class KeyClient(ScriptedClient, Component[KeyConfig]):
    component_config_schema = KeyConfig

    def __init__(self, model, api_key):
        super().__init__(["left"])
        self.config = KeyConfig(model=model, api_key=api_key)

    def _to_config(self):
        return self.config


async def test_a_new_api_key_keeps_the_cached_responses():
    store = InMemoryStore()
    first = await Cached(KeyClient("m", "old"), store).create(QUESTION)
    second = await Cached(KeyClient("m", "new"), store).create(QUESTION)
    third = await Cached(KeyClient("n", "new"), store).create(QUESTION)
    assert (first.cached, second.cached, third.cached) == (False, True, False)


def test_it_is_loaded_as_it_was_dumped(tmp_path):
    store = SqliteCacheStore(tmp_path / "answers.sqlite", max_entries=7)
    dumped = Cached(numbered(), store, ttl_seconds=9, model="m").dump_component()
    loaded = ChatCompletionClient.load_component(dumped)
    assert loaded.dump_component() == dumped
    assert dumped.config["store"]["config"]["max_entries"] == 7


async def test_concurrent_equal_requests_are_sent_and_paid_for_once():
    inner = numbered()
    client = Cached(inner)
    results = await asyncio.gather(*(client.create(QUESTION) for _ in range(5)))
    assert {result.content for result in results} == {"answer 0"}
    assert sorted(result.cached for result in results) == [False, True, True, True, True]
    assert len(inner.requests) == 1


def test_equal_requests_of_two_event_loops_each_get_a_response():
    together = threading.Barrier(2)

    def respond(messages):
        together.wait()  # both are in flight
        return "Ciao!"

    client = Cached(ScriptedClient(respond), model="m")

    def ask():
        return asyncio.run(client.create([UserMessage(content="Hello", source="me")])).content

    with ThreadPoolExecutor(2) as threads:
        assert [each.result() for each in [threads.submit(ask) for _ in range(2)]] == ["Ciao!"] * 2
