"""What goes wrong is a typed error: one of ours, and still one of the SDK's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import openai
import pytest

from ferrogen.exceptions import (
    FerrogenError,
    ModelConnectionError,
    ModelRateLimitError,
    ModelStatusError,
    ModelTimeoutError,
)
from ferrogen.models.openai import OpenAIChatCompletionClient

from ...growing_timeouts import TIMEOUTS
from ..scripted_server import HANG_UP, RESET, ScriptedServer, json_response, raw, sse_response
from .responses import HELLO, piece, streamed, whole

MakeClient = Callable[..., OpenAIChatCompletionClient]


@pytest.mark.parametrize(
    ("status", "sdks"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (418, openai.APIStatusError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (529, openai.InternalServerError),
    ],
)
async def test_a_status_is_an_error_of_ours_and_of_the_sdk(
    server: ScriptedServer,
    client: OpenAIChatCompletionClient,
    status: int,
    sdks: type[openai.APIStatusError],
) -> None:
    server.play(json_response({"error": {"message": "no", "code": "why"}}, status))
    with pytest.raises(ModelStatusError, match=f"the service of gpt-4o refused: .*{status}") as got:
        await client.create(HELLO)
    error: Any = got.value
    assert isinstance(error, FerrogenError)
    assert isinstance(error, sdks)
    assert isinstance(error, ModelRateLimitError) == (status == 429)
    assert error.status == error.status_code == status
    assert error.code == "why"
    assert error.response.status_code == status
    assert error.message == str(error)
    assert isinstance(error.__cause__, sdks)


async def test_a_status_is_an_error_before_a_stream_begins(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(json_response(b"busy", 503))
    with pytest.raises(ModelStatusError) as got:
        await streamed(client)
    assert got.value.status == 503


async def test_the_waiting_time_is_reported(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(json_response({}, 429, {"Retry-After": "7"}))
    with pytest.raises(ModelRateLimitError) as got:
        await client.create(HELLO)
    assert got.value.retry_after == 7.0


async def test_the_sdk_retries_if_configured(server: ScriptedServer, client_of: MakeClient) -> None:
    server.play(json_response({}, 429, {"Retry-After-Ms": "1"}), json_response(whole("ciao")))
    assert (await client_of(max_retries=1).create(HELLO)).content == "ciao"


async def test_a_service_that_is_not_there_is_a_connection_error(client_of: MakeClient) -> None:
    async with ScriptedServer() as gone:
        url = gone.url
    with pytest.raises(ModelConnectionError, match="cannot be reached") as got:
        await client_of(base_url=url).create(HELLO)
    assert isinstance(got.value, openai.APIConnectionError)
    assert isinstance(got.value, ConnectionError)


@pytest.mark.parametrize(
    "steps",
    [
        raw(RESET),
        raw(HANG_UP),
        raw(b"garbage\r\n\r\n", HANG_UP),
        raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}", HANG_UP),
        raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", HANG_UP),
    ],
)
async def test_a_truncated_response_is_a_connection_error(
    server: ScriptedServer, client: OpenAIChatCompletionClient, steps: Any
) -> None:
    server.play(steps)
    with pytest.raises(ModelConnectionError):
        await client.create(HELLO)
    await server.deserted()


async def test_a_response_that_cannot_be_decompressed_is_a_typed_error(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(json_response(b"not gzip", headers={"content-encoding": "gzip"}))
    with pytest.raises(FerrogenError, match="cannot be unpacked"):
        await client.create(HELLO)


async def test_a_service_that_takes_too_long_is_a_timeout(
    server: ScriptedServer, client_of: MakeClient
) -> None:
    server.play(raw(asyncio.Event()))
    with pytest.raises(ModelTimeoutError, match="did not respond in time") as got:
        await client_of(timeout=0.01).create(HELLO)
    assert isinstance(got.value, openai.APITimeoutError)
    assert isinstance(got.value, TimeoutError)
    await server.deserted()


async def test_a_stream_that_falls_silent_is_a_timeout(
    server: ScriptedServer, client_of: MakeClient
) -> None:
    for timeout in TIMEOUTS:
        server.play(sse_response(piece("ci"), asyncio.Event()))
        parts: list[Any] = []
        with pytest.raises(ModelTimeoutError) as caught:
            stream = client_of(timeout=timeout).create_stream(HELLO)
            parts.append(await anext(stream))
            await anext(stream)
        if parts:
            break
    assert parts == ["ci"]
    assert "stopped responding" in str(caught.value)
    await server.deserted()


async def test_an_error_in_place_of_a_response_is_raised(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(json_response({"error": {"message": "upstream is gone", "code": 502}}))
    with pytest.raises(ModelStatusError, match="upstream is gone"):
        await client.create(HELLO)
