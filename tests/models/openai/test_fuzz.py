"""No bytes from a service make a client hang, lose a connection, or raise what is not typed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import openai
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.exceptions import FerrogenError, ModelConnectionError
from ferrogen.models import CreateResult
from ferrogen.models.openai import OpenAIChatCompletionClient

from ...random_examples import examples
from ..scripted_server import (
    HANG_UP,
    RESET,
    ScriptedServer,
    Step,
    json_response,
    raw,
    sse_body,
    sse_response,
)
from .responses import HELLO, call_piece, piece, whole

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
FIELDS = [
    *("choices", "delta", "message", "content", "tool_calls", "index", "id", "function", "name"),
    *("arguments", "usage", "prompt_tokens", "finish_reason", "logprobs", "error", "refusal"),
    *("reasoning_content", "model", "code", "function_call"),
]


@st.composite
def near_chunks(draw: st.DrawFn) -> Any:
    """A chunk of which one field was replaced by anything."""
    chunk = json.loads(
        json.dumps(
            draw(
                st.sampled_from(
                    [
                        piece("ci"),
                        piece("ao", "stop"),
                        piece(reasoning_content="hm"),
                        piece(refusal="no"),
                        call_piece(0, id="a", name="f", arguments="{"),
                        call_piece(1, arguments="}"),
                        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}},
                        {"error": {"message": "no", "code": 429}},
                        whole("ciao"),
                    ]
                )
            )
        )
    )
    if draw(st.booleans()):
        return chunk
    at = chunk
    for _ in range(draw(st.integers(0, 4))):
        inner = [
            v for v in (at.values() if isinstance(at, dict) else at) if isinstance(v, dict | list)
        ]
        if not inner:
            break
        at = draw(st.sampled_from(inner))
    if isinstance(at, dict):
        at[draw(st.sampled_from(FIELDS))] = draw(JSON)
    else:
        at.append(draw(JSON))
    return chunk


@st.composite
def spoilt(draw: st.DrawFn, text: bytes) -> bytes:
    """The same bytes, some of which may be lost, doubled or changed."""
    content = bytearray(text)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        content[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(content)


@st.composite
def responses(draw: st.DrawFn) -> list[Step]:
    """A response: a stream or a whole, well made or not, that ends in some way."""
    chunks = draw(st.lists(near_chunks() | JSON, max_size=5))
    kind = draw(st.sampled_from(["stream", "whole", "events", "bytes"]))
    if kind == "events":
        end = draw(st.sampled_from([[], [RESET], [HANG_UP]]))
        return sse_response(*chunks, *end, done=draw(st.booleans()))
    if kind == "whole":
        body = draw(spoilt(json.dumps(chunks[0] if chunks else {}).encode()))
        return json_response(body, draw(st.sampled_from([200, 200, 200, 204, 302, 400, 429, 500])))
    if kind == "bytes":
        return raw(draw(st.binary(max_size=200)), draw(st.sampled_from([RESET, HANG_UP])))
    frames = b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks)
    body = draw(spoilt(frames + draw(st.sampled_from([b"", b"data: [DONE]\n\n"]))))
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=4)))
    return sse_body(*(body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)))


async def _ask(response: list[Step], streaming: bool) -> None:
    async with ScriptedServer() as server:
        # One connection, so that a request that does not let go of it is noticed by the next.
        http = openai.DefaultAsyncHttpxClient(
            limits=httpx2.Limits(max_connections=1), timeout=httpx2.Timeout(20)
        )
        client = OpenAIChatCompletionClient(
            model="gpt-4o",
            base_url=f"{server.url}/v1",
            api_key="sk-key",
            max_retries=0,
            http_client=http,
        )
        server.play(response, json_response(whole("ciao")))
        try:
            if streaming:
                *_, result = [item async for item in client.create_stream(HELLO)]
            else:
                result = await client.create(HELLO)
            assert isinstance(result, CreateResult)
            assert result.usage.prompt_tokens >= 0
        except FerrogenError:
            pass
        try:
            result = await client.create(HELLO)
        except ModelConnectionError:  # the end of the last response was not where its head said
            server.play(json_response(whole("ciao")))
            result = await client.create(HELLO)
        assert result.content == "ciao"
        await client.close()
        await server.deserted()


@examples(20)
@given(response=responses(), streaming=st.booleans())
def test_any_bytes_are_a_response_or_a_typed_error(response: list[Step], streaming: bool) -> None:
    asyncio.run(asyncio.wait_for(_ask(response, streaming), 60))
