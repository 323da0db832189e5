"""Wrappers over wrappers, in whatever order: they respond as the inner client does."""

import asyncio
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from ferrogen import CancellationToken
from ferrogen.models import ChatCompletionClient
from ferrogen.models.middleware import (
    Budget,
    Budgeted,
    Cached,
    Fallback,
    RateLimited,
    RateLimiter,
    Recorder,
    Replay,
    Retrying,
)
from ferrogen.models.scripted import ScriptedClient

from .fakes import QUESTION, GatedClient, asking, settled

WRAPPERS = {
    "Retrying": lambda client, _: Retrying(client),
    "RateLimited": lambda client, _: RateLimited(client, RateLimiter(tokens_per_minute=10**9)),
    "Cached": lambda client, _: Cached(client, model="scripted"),
    "Fallback": lambda client, _: Fallback([client, ScriptedClient([])]),
    "Budgeted": lambda client, _: Budgeted(client, Budget(calls=999, tokens=10**9)),
    "Recorder": lambda client, folder: Recorder(client, folder / f"{id(client)}.json"),
}
STACKS = st.lists(st.sampled_from(sorted(WRAPPERS)), max_size=6)
REQUESTS = st.lists(
    st.tuples(st.sampled_from(["left", "right", "a b c"]), st.booleans()), max_size=6
)


class Attentive(ScriptedClient):
    """Responds to every request, and records the options."""

    def __init__(self):
        super().__init__(lambda messages: f"to the {messages[-1].content}")
        self.options = []

    async def create(self, messages, **options):
        self.options.append(options)
        return await super().create(messages, **options)

    def create_stream(self, messages, **options):
        self.options.append(options)
        return super().create_stream(messages, **options)


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def stacked(client, names, folder):
    for name in names:
        client = WRAPPERS[name](client, folder)
    return client


async def responses(client, requests):
    """Give of each response the text of its pieces, its result, and what was used so far."""
    seen = []
    for text, streaming in requests:
        if streaming:
            *pieces, result = [item async for item in client.create_stream(asking(text))]
        else:
            pieces, result = [], await client.create(asking(text))
        used = client.total_usage()
        seen.append(
            (
                "".join(pieces),
                result.model_copy(update={"cached": False}),
                (used.prompt_tokens, used.completion_tokens),
            )
        )
    return seen


@given(names=STACKS, requests=REQUESTS)
def test_without_failures_a_stack_responds_as_the_bare_client(folder, names, requests):
    async def scenario():
        bare, client = Attentive(), stacked(Attentive(), names, folder)
        assert await responses(client, requests) == await responses(bare, requests)
        assert client.model_info == bare.model_info == client.capabilities
        assert client.count_tokens(QUESTION) == bare.count_tokens(QUESTION)
        assert client.remaining_tokens(QUESTION) == bare.remaining_tokens(QUESTION)
        await client.close()

    asyncio.run(scenario())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks start eagerly from 3.12 on")
@given(names=STACKS, requests=REQUESTS)
def test_a_stack_responds_also_with_eager_tasks(folder, names, requests):
    async def scenario():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        client = stacked(Attentive(), names, folder)
        assert await responses(client, requests) == await responses(Attentive(), requests)

    asyncio.run(scenario())


class Place(BaseModel):
    name: str


@given(names=STACKS, streaming=st.booleans())
def test_requests_reach_the_inner_client_unchanged(folder, names, streaming):
    options = {
        "tools": [{"name": "map", "description": "knows the way"}],
        "tool_choice": "required",
        "json_output": Place,
        "extra_create_args": {"seed": 1},
    }

    async def scenario():
        inner = Attentive()
        client = stacked(inner, names, folder)
        if streaming:
            [item async for item in client.create_stream(QUESTION, **options)]
        else:
            await client.create(QUESTION, **options)
        assert inner.requests == [QUESTION]
        inner.options[0].pop("cancellation_token", None)
        assert inner.options == [options]

    asyncio.run(scenario())


@given(names=STACKS, streaming=st.booleans(), by_token=st.booleans())
def test_cancelling_reaches_the_client_within(folder, names, streaming, by_token):
    async def scenario():
        inner, token = GatedClient(["left"], after=int(streaming)), CancellationToken()
        client = stacked(inner, names, folder)
        if streaming:
            stream = client.create_stream(QUESTION, cancellation_token=token)
            await anext(stream)
            asked = asyncio.ensure_future(anext(stream))
        else:
            asked = asyncio.ensure_future(client.create(QUESTION, cancellation_token=token))
        await settled()
        assert inner.before == 1
        if by_token:
            token.cancel()
        else:
            asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert (inner.before, inner.broken_off) == (0, 1)
        await settled()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())


@given(names=STACKS)
def test_a_stream_that_is_closed_early_is_closed_within(folder, names):
    async def scenario():
        closed = []

        class Closing(ScriptedClient):
            async def _respond(self, request):
                try:
                    yield "left"
                    await asyncio.Event().wait()
                finally:
                    closed.append(request)

        stream = stacked(Closing([]), names, folder).create_stream(QUESTION)
        assert await anext(stream) == "left"
        await stream.aclose()
        assert len(closed) == 1
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())


@given(names=STACKS, streaming=st.booleans())
def test_a_fault_of_the_client_within_is_raised_as_it_is(folder, names, streaming):
    async def scenario():
        fault = ZeroDivisionError()
        client = stacked(ScriptedClient([fault]), names, folder)
        with pytest.raises(ZeroDivisionError) as caught:
            if streaming:
                [item async for item in client.create_stream(QUESTION)]
            else:
                await client.create(QUESTION)
        assert caught.value is fault

    asyncio.run(scenario())


@given(names=STACKS)
def test_a_stack_is_loaded_as_it_was_dumped(folder, names):
    dumped = stacked(ScriptedClient(["left"]), names, folder).dump_component()
    loaded = ChatCompletionClient.load_component(dumped.model_dump())
    assert loaded.dump_component() == dumped
    assert asyncio.run(loaded.create(QUESTION)).content == "left"


@given(names=STACKS, requests=REQUESTS)
def test_the_requests_of_a_stack_can_be_replayed(folder, names, requests):
    async def scenario():
        recorded = await responses(
            Recorder(stacked(Attentive(), names, folder), folder / "all.json"), requests
        )
        if requests:
            assert [
                each[:2] for each in await responses(Replay(folder / "all.json"), requests)
            ] == [each[:2] for each in recorded]

    asyncio.run(scenario())
