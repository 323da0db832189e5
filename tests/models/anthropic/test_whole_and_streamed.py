"""A response of Anthropic's API is the same result whole and streamed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen import FunctionCall
from ferrogen.exceptions import ModelError
from ferrogen.models import AssistantMessage, CreateResult, UserMessage
from ferrogen.models.anthropic import AnthropicChatCompletionClient

from ...random_examples import examples
from .conftest import KNOWS_ALL

QUESTION = [UserMessage(content="hello", source="me")]
TOOLS: Any = [{"name": "hour"}, {"name": "week day"}]


class Service(httpx2.AsyncBaseTransport):
    """Responds to every request with the same bytes, in pieces."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.content_type = "application/json"
        self.requests: list[Any] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(json.loads(await request.aread()))
        headers = {"content-type": self.content_type}
        return httpx2.Response(200, headers=headers, content=self._stream())

    async def _stream(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


SERVICE = Service()
CLIENT = AnthropicChatCompletionClient(
    model="some-model",
    api_key="sk-some-key",
    base_url="http://service.invalid",
    model_info=KNOWS_ALL,
    max_retries=0,
    http_client=httpx2.AsyncClient(transport=SERVICE),
)


def whole(body: Any) -> CreateResult:
    SERVICE.pieces, SERVICE.content_type = [json.dumps(body).encode()], "application/json"
    return asyncio.run(CLIENT.create(QUESTION, tools=TOOLS))


def streamed(pieces: list[bytes]) -> CreateResult:
    async def collected() -> list[Any]:
        return [item async for item in CLIENT.create_stream(QUESTION, tools=TOOLS)]

    SERVICE.pieces, SERVICE.content_type = pieces, "text/event-stream"
    *_, result = asyncio.run(collected())
    assert isinstance(result, CreateResult)
    return result


def comparable(result: CreateResult) -> Any:
    """A result with parsed arguments, and with what is sent back for its calls."""
    if isinstance(result.content, str):
        return result
    calls = [
        FunctionCall(call.id, json.dumps(json.loads(call.arguments)), call.name)
        for call in result.content
    ]
    said = AssistantMessage(content=result.content, thought=result.thought, source="a")
    body = {"type": "message", "content": [], "stop_reason": "end_turn", "usage": {}}
    SERVICE.pieces, SERVICE.content_type = [json.dumps(body).encode()], "application/json"
    asyncio.run(CLIENT.create([*QUESTION, said], tools=TOOLS))
    return result.model_copy(update={"content": calls}), SERVICE.requests[-1]["messages"][1]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)
ARGUMENTS = st.dictionaries(st.sampled_from("abc"), st.integers() | TEXT, max_size=2)


@st.composite
def blocks(draw: st.DrawFn) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["text", "thinking", "redacted", "tool_use"]))
        if kind == "text":
            found.append({"type": "text", "text": draw(TEXT)})
        elif kind == "thinking":
            signed = {"thinking": draw(TEXT), "signature": draw(TEXT)}
            found.append({"type": "thinking", **signed})
        elif kind == "redacted":
            found.append({"type": "redacted_thinking", "data": draw(TEXT)})
        else:
            name = draw(st.sampled_from(["hour", "week_day"]))
            call = {"id": f"id-{number}", "name": name, "input": draw(ARGUMENTS)}
            found.append({"type": "tool_use", **call})
    return found


FIELDS = {
    "text": [("text", "text_delta", "text")],
    "thinking": [
        ("thinking", "thinking_delta", "thinking"),
        ("signature", "signature_delta", "signature"),
    ],
    "tool_use": [("input", "input_json_delta", "partial_json")],
}


@st.composite
def events_of(draw: st.DrawFn, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Cut a response into the events of a stream."""
    early = {"input_tokens": 1, "output_tokens": 1} if draw(st.booleans()) else None
    message = {**body, "content": [], "stop_reason": None, "usage": early}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": message}]
    for index, block in enumerate(body["content"]):
        empty, deltas = dict(block), []
        for field, kind, name in FIELDS.get(block["type"], []):
            is_input = field == "input"
            value = json.dumps(block[field], ensure_ascii=False) if is_input else block[field]
            empty[field] = {} if is_input else ""
            places = sorted(draw(st.lists(st.integers(0, len(value)), max_size=3)))
            for a, b in zip([0, *places], [*places, len(value)], strict=True):
                deltas.append({"type": kind, name: value[a:b]})
        place = {"index": index}
        events.append({"type": "content_block_start", **place, "content_block": empty})
        events += [{"type": "content_block_delta", **place, "delta": each} for each in deltas]
        events += [{"type": "content_block_stop", **place}, {"type": "ping"}]
    reason = {"stop_reason": body["stop_reason"]}
    events.append({"type": "message_delta", "delta": reason, "usage": body["usage"]})
    return [*events, {"type": "message_stop"}]


@st.composite
def bytes_of(draw: st.DrawFn, events: list[dict[str, Any]]) -> list[bytes]:
    """Write events as a body, with line ends, comments and cuts of any kind."""
    end = draw(st.sampled_from([b"\n", b"\r\n"]))
    body = draw(st.sampled_from([b"", b"\xef\xbb\xbf", b": hello" + end + end]))
    named = draw(st.booleans())
    for event in events:
        if named:
            body += b"event: " + event["type"].encode() + end
        body += b"data: " + json.dumps(event).encode() + end + end
    if draw(st.booleans()):
        body = body.rstrip(b"\r\n")
    places = sorted(draw(st.lists(st.integers(0, len(body)), max_size=5)))
    return [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True)]


BODIES = st.fixed_dictionaries(
    {
        "type": st.just("message"),
        "model": st.just("some-model"),
        "content": blocks(),
        "stop_reason": st.sampled_from(["end_turn", "max_tokens", "tool_use", "refusal"]),
        "usage": st.just({"input_tokens": 9, "output_tokens": 4}),
    }
)


@examples(40)
@given(st.data())
def test_a_response_is_the_same_whole_and_streamed(data: st.DataObject) -> None:
    body = data.draw(BODIES)
    expected = comparable(whole(body))
    events = data.draw(events_of(body))
    assert comparable(streamed(data.draw(bytes_of(events)))) == expected
    assert comparable(streamed([json.dumps(body).encode()])) == expected


@examples(40)
@given(st.data())
def test_an_answer_that_is_cut_by_an_error_is_never_a_result(data: st.DataObject) -> None:
    events = data.draw(events_of(data.draw(BODIES)))
    stream = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    error = data.draw(
        st.sampled_from(
            [
                b'event: error\ndata: {"type": "error", "error": {"message": "queue full"}}\n\n',
                b'data: {"type": "error", "error": {"type": "x", "message": "queue full"}}\n\n',
                b'data: {"error": "queue full"}\n\n',
                b'data: {"object": "error", "message": "queue full"}\n\n',
                b"event: error\ndata: queue full\n\n",
                b'{"error": {"message": "queue full"}}\n\n',
            ]
        )
    )
    place = data.draw(st.integers(0, len(stream) - 1))
    with pytest.raises(ModelError, match="queue full"):
        streamed([*stream[:place], error, *stream[place:]])
