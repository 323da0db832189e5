"""Wrappers around a client on OpenAI's SDK, whose server plays what services do."""

import asyncio
import json

import pytest

from ferrogen import CancellationToken
from ferrogen.components import EnvironmentSecret
from ferrogen.exceptions import ModelConnectionError, ModelStatusError
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
from ferrogen.models.openai import OpenAIChatCompletionClient
from ferrogen.models.usage import DetailedUsage

from ..anthropic import frames
from ..openai.responses import USAGE_CHUNK, piece, whole
from ..scripted_server import HANG_UP, RESET, json_response, raw, sse_response
from .conftest import KEY
from .fakes import QUESTION, ManualClock, text_and_result

BUSY = json_response({"error": {"message": "slow down"}}, 429, {"retry-after": "7"})
FINE = json_response(whole("straight on"))
STREAM = sse_response(piece("st"), piece("raight"), piece(reason="stop"), USAGE_CHUNK)


def patient(client, **options):
    clock = ManualClock(runs=True)
    return Retrying(client, clock=clock, random=lambda: 0.0, **options), clock


async def test_the_client_waits_as_long_as_the_service_says(server, client):
    server.play(BUSY, BUSY, FINE)
    retrying, clock = patient(client)
    assert (await retrying.create(QUESTION)).content == "straight on"
    assert (clock.waits, len(server.requests)) == ([7.0, 7.0], 3)


@pytest.mark.parametrize(
    "failure",
    [
        json_response({"error": {"message": "no room"}}, 503),
        json_response("<html>bad gateway</html>", 502),
        raw(RESET),
        raw(HANG_UP),
    ],
    ids=["503", "502", "reset", "hung up"],
)
@pytest.mark.parametrize("streaming", [False, True])
async def test_what_may_pass_on_the_way_is_tried_again(server, client, failure, streaming):
    server.play(failure, STREAM if streaming else FINE)
    retrying, _ = patient(client)
    if streaming:
        assert (await text_and_result(retrying.create_stream(QUESTION)))[0] == "straight"
    else:
        assert (await retrying.create(QUESTION)).content == "straight on"
    assert len(server.requests) == 2


async def test_a_stream_that_is_reset_after_its_first_piece_fails(server, client):
    server.play(sse_response(piece("st"), RESET, done=False), STREAM)
    retrying, _ = patient(client)
    stream = retrying.create_stream(QUESTION)
    assert await anext(stream) == "st"
    with pytest.raises(ModelConnectionError):
        await anext(stream)
    assert len(server.requests) == 1


async def test_a_wrong_key_is_not_tried_again(server, client):
    server.play(json_response({"error": {"message": "who are you"}}, 401))
    with pytest.raises(ModelStatusError) as caught:
        await patient(client)[0].create(QUESTION)
    assert (caught.value.status, len(server.requests)) == (401, 1)


OVERLOADED = frames.stream(
    frames.start(),
    {"type": "error", "error": {"type": "overloaded_error", "message": "come back later"}},
)
ELSEWHERE = frames.stream(frames.start(), frames.text(0, "le", "ft"), frames.ended())


async def test_a_stream_with_an_overload_before_any_text_is_retried(server, anthropic_client):
    server.play(OVERLOADED, ELSEWHERE)
    retrying, clock = patient(anthropic_client)
    assert (await text_and_result(retrying.create_stream(QUESTION)))[0] == "left"
    assert (len(clock.waits), len(server.requests)) == (1, 2)


async def test_another_service_responds_when_the_first_one_fails(server, client, anthropic_client):
    server.play(json_response({"error": {"message": "no room"}}, 503), ELSEWHERE)
    fallback = Fallback([client, anthropic_client])
    assert (await text_and_result(fallback.create_stream(QUESTION)))[0] == "left"
    assert [request.path for request in server.requests] == [
        "/v1/chat/completions",
        "/v1/messages",
    ]
    assert fallback.total_usage().prompt_tokens > 0
    assert fallback.remaining_tokens(QUESTION) == client.remaining_tokens(QUESTION)


async def test_a_cassette_has_everything_but_the_keys(server, client, tmp_path):
    path = tmp_path / "cassette.json"
    echo = f"Incorrect API key provided: {KEY}"
    server.play(
        json_response(whole(f"you are gateway-{KEY}")),
        STREAM,
        json_response({"error": {"message": echo}}, 401),
        BUSY,
    )
    recorder = Recorder(Retrying(client, attempts=1), path)
    arguments = {"extra_create_args": {"seed": 4, "extra_headers": {"Authorization": "Basic abc"}}}
    await recorder.create(QUESTION, **arguments)
    streamed = await text_and_result(recorder.create_stream(QUESTION))
    for _ in range(2):
        with pytest.raises(ModelStatusError):
            await recorder.create(QUESTION)
    text = path.read_text()
    assert server.requests[0].headers["authorization"] == "Basic abc"
    assert KEY not in text
    assert "Basic abc" not in text

    replay = Replay(path)
    result = await replay.create(QUESTION, **arguments)
    assert result.content == "you are [redacted]"
    assert isinstance(result.usage, DetailedUsage)
    assert result.usage.cost is not None
    assert await text_and_result(replay.create_stream(QUESTION)) == streamed
    with pytest.raises(ModelStatusError, match="Incorrect API key provided"):
        await replay.create(QUESTION)
    with pytest.raises(ModelStatusError) as caught:
        await replay.create(QUESTION)
    assert (caught.value.status, caught.value.retry_after) == (429, 7.0)
    assert replay.model_info == client.model_info
    assert replay.remaining_tokens([]) > 100_000


async def test_cancelling_a_stack_closes_the_connection(server, client):
    gate, token = asyncio.Event(), CancellationToken()
    server.play(sse_response(piece("st"), gate, piece("raight")))
    stack = Cached(Retrying(RateLimited(client, RateLimiter(requests_per_minute=9))))
    stream = stack.create_stream(QUESTION, cancellation_token=token)
    assert await anext(stream) == "st"
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await anext(stream)
    await server.deserted()


async def test_a_budget_of_money_is_spent_by_the_prices_of_the_registry(server, client):
    server.play(FINE)
    budgeted = Budgeted(client, Budget(cost=1.0), model="gpt-4o")
    result = await budgeted.create(QUESTION)
    assert budgeted.budget.spent.cost == pytest.approx(result.usage.cost)
    assert budgeted.budget.spent.cost > 0


async def test_a_tower_on_the_real_client_is_loaded_as_it_was_dumped_without_its_key(client):
    limiter = RateLimiter(requests_per_minute=9)
    tower = Cached(Fallback([Retrying(RateLimited(client, limiter)), client]))
    dumped = tower.dump_component()
    text = dumped.model_dump_json()
    assert KEY not in text
    loaded = ChatCompletionClient.load_component(dumped)
    assert json.loads(loaded.dump_component().model_dump_json()) == json.loads(text)
    await loaded.close()


async def test_a_key_by_reference_stays_a_reference_in_a_tower_and_out_of_cassettes(
    server, tmp_path, monkeypatch
):
    monkeypatch.setenv("OUR_ACCOUNT", KEY)
    path = tmp_path / "cassette.json"
    base_url = f"{server.url}/v1"
    client = OpenAIChatCompletionClient(
        model="gpt-4o", base_url=base_url, api_key=EnvironmentSecret("OUR_ACCOUNT"), max_retries=0
    )
    text = Recorder(Retrying(Cached(client)), path).dump_component().model_dump_json()
    assert KEY not in text
    loaded = ChatCompletionClient.load_component(json.loads(text))
    server.play(json_response(whole(f"you are {KEY}")))
    assert (await loaded.create(QUESTION)).content == f"you are {KEY}"
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in path.read_text()
    await loaded.close()
    await client.close()
