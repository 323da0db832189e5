"""The scripted server plays its steps, and detects disconnects."""

import asyncio
import json

import pytest

from .scripted_server import (
    HANG_UP,
    RESET,
    ScriptedServer,
    json_response,
    raw,
    sse_body,
    sse_response,
)

GET = b"GET /path HTTP/1.1\r\nHost: x\r\n\r\n"


async def _connect(server: ScriptedServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = server.url.removeprefix("http://").partition(":")
    return await asyncio.open_connection(host, int(port))


async def _exchange(server: ScriptedServer, *requests: bytes) -> bytes:
    reader, writer = await _connect(server)
    writer.write(b"".join(requests))
    writer.write_eof()
    try:
        return await reader.read()
    finally:
        writer.close()


async def test_responses_come_in_order_on_one_connection() -> None:
    async with ScriptedServer() as server:
        server.play(json_response({"a": 1}), lambda request: json_response([request.path]))
        response = await _exchange(server, GET, GET)
        assert response.index(b'{"a": 1}') < response.index(b'["/path"]')
        assert server.accepted == 1


async def test_a_request_is_remembered() -> None:
    body = json.dumps({"model": "m"}).encode()
    async with ScriptedServer() as server:
        server.play(json_response({}))
        head = b"POST /chat HTTP/1.1\r\nX-Key: 7\r\nContent-Length: %d\r\n\r\n" % len(body)
        await _exchange(server, head + body)
        request = server.requests[0]
    assert (request.method, request.path, request.headers["x-key"]) == ("POST", "/chat", "7")
    assert request.json == {"model": "m"}


async def test_what_is_not_scripted_is_an_error_that_says_so() -> None:
    async with ScriptedServer() as server:
        assert b"nothing is scripted" in await _exchange(server, GET)


async def test_events_are_framed_and_end_with_done() -> None:
    async with ScriptedServer() as server:
        server.play(sse_response({"a": 1}, "text", ("named", {}), b": comment\n\n"))
        response = await _exchange(server, GET)
    body = response.partition(b"\r\n\r\n")[2]
    assert b'data: {"a": 1}\n\n' in body
    assert b"data: text\n\n" in body
    assert b"event: named\ndata: {}\n\n" in body
    assert b": comment\n\n" in body
    assert body.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


async def test_a_body_is_sent_in_the_given_pieces() -> None:
    async with ScriptedServer() as server:
        server.play(sse_body(b"da", b"ta: 1\n\n"))
        response = await _exchange(server, GET)
    assert response.endswith(b"2\r\nda\r\n7\r\nta: 1\n\n\r\n0\r\n\r\n")


async def test_an_event_delays_the_response() -> None:
    async with ScriptedServer() as server:
        gate = asyncio.Event()
        server.play(raw(b"first ", gate, b"second", HANG_UP))
        reader, writer = await _connect(server)
        writer.write(GET)
        assert await reader.readexactly(6) == b"first "
        gate.set()
        assert await reader.read() == b"second"
        writer.close()


async def test_a_client_that_leaves_while_it_waits_is_noticed() -> None:
    async with ScriptedServer() as server:
        server.play(raw(asyncio.Event()))
        _, writer = await _connect(server)
        writer.write(GET)
        await server.asked()
        assert server.connections == 1
        writer.close()
        await server.deserted()
        assert server.connections == 0


async def test_a_reset_is_seen_as_one() -> None:
    async with ScriptedServer() as server:
        gate = asyncio.Event()
        server.play(raw(b"first", gate, RESET))
        reader, writer = await _connect(server)
        writer.write(GET)
        await reader.readexactly(5)
        gate.set()
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        writer.close()
