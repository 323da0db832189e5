"""A rate-limited client waits for its turn, and says afterwards what it really took."""

import asyncio

import pytest

from ferrogen import CancellationToken
from ferrogen.models import ChatCompletionClient, CreateResult, RequestUsage
from ferrogen.models.middleware import RateLimited, RateLimiter
from ferrogen.models.scripted import ScriptedClient

from .fakes import QUESTION, ManualClock, settled, text_and_result

REMEMBERED = CreateResult(
    finish_reason="stop", content="left", usage=RequestUsage(4, 1), cached=True
)


def slow(lines, *, answer_tokens=256, **limits):
    clock = ManualClock()
    limiter = RateLimiter(**limits, clock=clock)
    inner = ScriptedClient(lines)
    return RateLimited(inner, limiter, answer_tokens=answer_tokens), inner, clock


async def test_a_streamed_request_is_delayed_too():
    client, inner, clock = slow(["left", "right"], requests_per_minute=1)
    await client.create(QUESTION)
    asking = asyncio.ensure_future(text_and_result(client.create_stream(QUESTION)))
    await clock.advance(59)
    assert len(inner.requests) == 1
    await clock.advance(1)
    assert (await asking)[0] == "right"


async def test_the_usage_of_the_response_replaces_the_estimate():
    client, inner, _ = slow(["left"] * 4, tokens_per_minute=300)  # 4 and 256 by estimate, 5 really
    for _ in range(4):
        await client.create(QUESTION)
    assert len(inner.requests) == 4


async def test_the_longest_allowed_response_is_the_estimate():
    client, inner, clock = slow(["left"] * 2, tokens_per_minute=300)
    await client.create(QUESTION, extra_create_args={"max_tokens": 200})
    asking = asyncio.ensure_future(client.create(QUESTION, extra_create_args={"max_tokens": 295}))
    await clock.advance(59)
    assert len(inner.requests) == 1
    await clock.advance(1)
    await asking


async def test_a_response_from_an_inner_cache_does_not_count():
    client, inner, _ = slow([REMEMBERED] * 3, requests_per_minute=1)
    for _ in range(3):
        await client.create(QUESTION)
    assert len(inner.requests) == 3


async def test_a_request_that_failed_counts_with_its_estimate():
    client, inner, clock = slow([TimeoutError(), "left"], tokens_per_minute=100, answer_tokens=60)
    with pytest.raises(TimeoutError):
        await client.create(QUESTION)
    asking = asyncio.ensure_future(client.create(QUESTION))
    await settled()
    assert len(inner.requests) == 1
    await clock.advance(60)
    await asking


async def test_cancelling_ends_the_wait_for_a_turn():
    client, inner, _ = slow(["left"] * 2, requests_per_minute=1)
    await client.create(QUESTION)
    token = CancellationToken()
    asking = asyncio.ensure_future(client.create(QUESTION, cancellation_token=token))
    await settled()
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert len(inner.requests) == 1


@pytest.mark.parametrize("name", [None, "shared-by-two"])
def test_loaded_clients_share_the_limiter_if_it_has_a_name(name):
    limits = {"requests_per_minute": 5, "tokens_per_minute": 700}
    limiter = RateLimiter.named(name, **limits) if name else RateLimiter(**limits)
    dumped = [
        RateLimited(ScriptedClient([line]), limiter, answer_tokens=9).dump_component()
        for line in ("left", "right")
    ]
    loaded = [ChatCompletionClient.load_component(each) for each in dumped]
    assert [each.dump_component() for each in loaded] == dumped
    assert (loaded[0].limiter is loaded[1].limiter) == (name is not None)
