"""A request that several follow goes on while one of them does."""

import asyncio

import pytest

from ferrogen import CancellationToken
from ferrogen.models.middleware import Cached

from .fakes import QUESTION, GatedClient, settled, text_and_result


async def test_cancelling_the_first_caller_does_not_affect_the_others():
    inner = GatedClient(["left"])
    client, token = Cached(inner), CancellationToken()
    first = asyncio.ensure_future(client.create(QUESTION, cancellation_token=token))
    await settled()
    second = asyncio.ensure_future(client.create(QUESTION))
    await settled()
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    inner.gate.set()
    result = await second
    assert (result.content, result.cached, inner.broken_off) == ("left", False, 0)


@pytest.mark.parametrize("by_token", [True, False])
async def test_when_the_last_one_leaves_the_request_is_cancelled(by_token):
    inner = GatedClient(["left", "right"])
    client, token = Cached(inner), CancellationToken()
    jobs = [
        asyncio.ensure_future(client.create(QUESTION, cancellation_token=token)) for _ in range(3)
    ]
    await settled()
    assert inner.before == 1
    if by_token:
        token.cancel()
    else:
        for job in jobs:
            job.cancel()
    await asyncio.wait(jobs)
    assert all(job.cancelled() for job in jobs)
    assert (inner.before, inner.broken_off) == (0, 1)
    inner.gate.set()
    assert (await client.create(QUESTION)).content == "left"


async def test_a_new_request_does_not_join_one_that_is_being_cancelled():
    inner = GatedClient(["left"])
    client = Cached(inner)
    first = asyncio.ensure_future(client.create(QUESTION))
    await settled()
    first.cancel()
    second = asyncio.ensure_future(client.create(QUESTION))
    await settled()
    inner.gate.set()
    assert (await second).content == "left"
    assert first.cancelled()


async def test_all_callers_get_the_error():
    client = Cached(GatedClient([ConnectionError("gone"), "left"]), model="m")
    jobs = [asyncio.ensure_future(client.create(QUESTION)) for _ in range(3)]
    await settled()
    client.client.gate.set()
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    assert [str(each) for each in outcomes] == ["gone"] * 3
    assert (await client.create(QUESTION)).content == "left"


async def test_a_late_caller_gets_the_stream_from_the_beginning():
    client = Cached(GatedClient([["st", "raight"]]))
    client.client.gate.set()
    first = client.create_stream(QUESTION)
    assert await anext(first) == "st"
    text, result = await text_and_result(client.create_stream(QUESTION))
    assert (text, result.content) == ("straight", "straight")
    assert [item if isinstance(item, str) else item.content async for item in first] == [
        "raight",
        "straight",
    ]


async def test_a_follower_that_leaves_a_stream_does_not_end_it():
    client = Cached(GatedClient([["st", "raight"]]))
    client.client.gate.set()
    first, second = client.create_stream(QUESTION), client.create_stream(QUESTION)
    assert await anext(first) == await anext(second) == "st"
    await first.aclose()
    assert (await text_and_result(second))[0] == "raight"
