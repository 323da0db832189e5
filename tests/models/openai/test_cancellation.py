"""A cancelled token ends a request at once, and closes its connection."""

from __future__ import annotations

import asyncio
import sys

import pytest

from ferrogen import CancellationToken
from ferrogen.models.openai import OpenAIChatCompletionClient

from ..scripted_server import ScriptedServer, json_response, raw, sse_response
from .responses import HELLO, piece, whole


async def test_a_request_that_waits_is_ended(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(raw(asyncio.Event()))
    token = CancellationToken()
    asking = asyncio.ensure_future(client.create(HELLO, cancellation_token=token))
    await server.asked()
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await server.deserted()


async def test_a_stream_that_waits_is_ended(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(sse_response(piece("ci"), asyncio.Event()))
    token = CancellationToken()
    stream = client.create_stream(HELLO, cancellation_token=token)
    assert await anext(stream) == "ci"
    asyncio.get_running_loop().call_soon(token.cancel)
    with pytest.raises(asyncio.CancelledError):
        await anext(stream)
    await server.deserted()


async def test_a_stream_is_ended_by_a_token_that_was_cancelled_between_pieces(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(sse_response(piece("ci"), asyncio.Event(), piece("ao", "stop")))
    token = CancellationToken()
    stream = client.create_stream(HELLO, cancellation_token=token)
    assert await anext(stream) == "ci"
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await anext(stream)
    await server.deserted()


async def test_nothing_is_requested_with_a_token_that_is_cancelled_already(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    token = CancellationToken()
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client.create(HELLO, cancellation_token=token)
    assert server.requests == []


async def test_the_calling_task_continues(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(raw(asyncio.Event()), json_response(whole("ciao")))
    token = CancellationToken()
    asyncio.ensure_future(server.asked()).add_done_callback(lambda _: token.cancel())
    with pytest.raises(asyncio.CancelledError):
        await client.create(HELLO, cancellation_token=token)
    if sys.version_info >= (3, 11):
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
    assert (await client.create(HELLO)).content == "ciao"


async def test_a_token_forgets_requests_that_are_over(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.otherwise = json_response(whole("ciao"))
    token = CancellationToken()
    for _ in range(3):
        await client.create(HELLO, cancellation_token=token)
    await asyncio.sleep(0)
    assert not token._callbacks
    token.cancel()


async def test_a_task_that_is_cancelled_closes_the_connection(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(raw(asyncio.Event()))
    asking = asyncio.ensure_future(client.create(HELLO))
    await server.asked()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await server.deserted()
