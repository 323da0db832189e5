"""A response is the same result whole and streamed, in every form that services give it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from ferrogen import FunctionCall
from ferrogen.exceptions import ModelError
from ferrogen.models import AssistantMessage, CreateResult, ModelInfo, UserMessage
from ferrogen.models.openai import OpenAIChatCompletionClient

from ...random_examples import examples

try:
    import httpx2
except ImportError:  # the HTTP library of older SDKs
    import httpx as httpx2

INFO: ModelInfo = {
    "vision": True,
    "function_calling": True,
    "json_output": True,
    "structured_output": True,
    "family": "unknown",
}
QUESTION = [UserMessage(content="hello", source="me")]
TOOLS: Any = [{"name": name} for name in ("hour", "day", "week day")]
WIRE_NAMES = {"hour": "hour", "day": "day", "week day": "week_day"}


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
CLIENT = OpenAIChatCompletionClient(
    model="some-model",
    api_key="sk-some-key",
    base_url="http://service.invalid/v1",
    model_info=INFO,
    max_retries=0,
    http_client=httpx2.AsyncClient(transport=SERVICE),
)


def whole(body: Any, *pieces: bytes) -> CreateResult:
    """Ask for a response in one piece."""
    SERVICE.pieces = list(pieces) or [json.dumps(body).encode()]
    SERVICE.content_type = "application/json"
    return asyncio.run(CLIENT.create(QUESTION, tools=TOOLS))


def streamed(pieces: list[bytes], content_type: str = "text/event-stream") -> CreateResult:
    """Ask for a stream, and return its result."""

    async def collected() -> list[Any]:
        return [item async for item in CLIENT.create_stream(QUESTION, tools=TOOLS)]

    SERVICE.pieces, SERVICE.content_type = pieces, content_type
    *_, result = asyncio.run(collected())
    assert isinstance(result, CreateResult)
    return result


def comparable(result: CreateResult) -> Any:
    """A result without the ids that were generated, and with what is sent back for its calls."""
    if isinstance(result.content, str):
        return result
    SERVICE.pieces = [json.dumps({"choices": [{"message": {"content": "x"}}]}).encode()]
    SERVICE.content_type = "application/json"
    said = AssistantMessage(content=result.content, thought=result.thought, source="a")
    asyncio.run(CLIENT.create([*QUESTION, said], tools=TOOLS))
    sent_back = SERVICE.requests[-1]["messages"][-1]
    for call in sent_back["tool_calls"]:
        call["id"] = "" if call["id"].startswith("call_") else call["id"]
    ids = [call.id for call in result.content]
    assert len(set(ids)) == len(ids)
    assert all(ids)
    calls = [FunctionCall("", call.arguments, call.name) for call in result.content]
    return result.model_copy(update={"content": calls}), sent_back


@dataclass
class Spoken:
    """A response, before it has any form."""

    text: str = ""
    thought: str = ""
    refusal: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    reason: str = "stop"
    thought_field: str = "reasoning_content"
    extra: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, Any] | None = None


def message_of(spoken: Spoken, parts: bool) -> dict[str, Any]:
    content: Any = [{"type": "text", "text": spoken.text}] if parts else spoken.text
    message: dict[str, Any] = {"role": "assistant", "content": content, **spoken.extra}
    if spoken.thought:
        message[spoken.thought_field] = spoken.thought
    if spoken.refusal:
        message["refusal"] = spoken.refusal
    if spoken.calls:
        message["tool_calls"] = spoken.calls
    return message


@st.composite
def cut(draw: st.DrawFn, text: str, most: int = 4) -> list[str]:
    """Cut a text into pieces, of which some may be empty."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=most)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(
    lambda text: "<think>" not in text
)
ARGUMENTS = st.dictionaries(st.sampled_from("abc"), st.integers() | TEXT, min_size=1, max_size=2)
USAGES = st.none() | st.fixed_dictionaries(
    {"prompt_tokens": st.integers(1, 99), "completion_tokens": st.integers(1, 99)}
)


@st.composite
def spoken_calls(draw: st.DrawFn) -> list[dict[str, Any]]:
    with_ids = draw(st.booleans())
    calls = []
    for number in range(draw(st.integers(0, 3))):
        arguments = json.dumps(draw(ARGUMENTS), ensure_ascii=False)
        name = WIRE_NAMES[draw(st.sampled_from(sorted(WIRE_NAMES)))]
        call: dict[str, Any] = {"function": {"name": name, "arguments": arguments}}
        call["id"] = f"id-{number}" if with_ids else draw(st.sampled_from(["", None]))
        if draw(st.booleans()):
            call["extra_content"] = {"google": {"thought_signature": draw(TEXT)}}
        calls.append(call)
    return calls


RESPONSES = st.builds(
    Spoken,
    text=TEXT,
    thought=TEXT,
    refusal=st.just("") | TEXT,
    calls=spoken_calls(),
    reason=st.sampled_from(["stop", "length", "MAX_TOKENS", "tool_calls", "SAFETY", "x"]),
    thought_field=st.sampled_from(["reasoning_content", "reasoning", "thinking"]),
    extra=st.just({}) | st.just({"extra_content": {"google": {"thought_signature": "S"}}}),
    usage=USAGES,
)


@st.composite
def call_events(draw: st.DrawFn, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cut calls into pieces, with one of the ways that services number them."""
    # Without ids and places, a piece belongs to the call that was written last.
    numbering = draw(st.sampled_from(["index", "all 0", "none"]))
    repeats = draw(st.booleans())
    pieces: list[dict[str, Any]] = []
    for number, call in enumerate(calls):
        place = {"index": {"index": number}, "all 0": {"index": 0}, "none": {}}[numbering]
        cuts = draw(cut(call["function"]["arguments"]))
        for position, piece in enumerate(cuts):
            function: dict[str, Any] = {"arguments": piece}
            if position == 0 or (repeats and call["id"]):
                function["name"] = call["function"]["name"]
            own = {n: v for n, v in call.items() if n != "function" and position == 0}
            if repeats:
                own["id"] = call["id"]
            pieces.append({"tool_calls": [{**own, **place, "function": function}]})
    return pieces


@st.composite
def events_of(draw: st.DrawFn, spoken: Spoken) -> list[dict[str, Any]]:
    """Cut a response into the events of a stream."""
    deltas: list[Any] = [{"role": "assistant", **spoken.extra}, None, {}]
    deltas += [{spoken.thought_field: piece} for piece in draw(cut(spoken.thought))]
    parts = draw(st.booleans())
    for piece in draw(cut(spoken.text)):
        deltas.append({"content": [{"type": "text", "text": piece}] if parts else piece})
    deltas += [{"refusal": piece} for piece in draw(cut(spoken.refusal))]
    deltas += draw(call_events(spoken.calls))
    events: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": d}]} for d in deltas]
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": spoken.reason}]})
    if draw(st.booleans()):  # a last event that repeats everything
        final = {"index": 0, "message": message_of(spoken, parts), "finish_reason": spoken.reason}
        events.append({"choices": [final]})
    if spoken.usage is not None and draw(st.booleans()):
        for event in events:  # the totals so far, in each event
            event["usage"] = {"prompt_tokens": 1, "completion_tokens": 1}
    if spoken.usage is not None:
        events.append({"choices": [], "usage": spoken.usage})
    return events


@st.composite
def bytes_of(draw: st.DrawFn, events: list[dict[str, Any]]) -> list[bytes]:
    """Write events as a body, with line ends, comments and cuts of any kind."""
    end = draw(st.sampled_from([b"\n", b"\r\n"]))
    body = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    for event in events:
        if draw(st.booleans()):
            body += b": keep-alive" + end + end
        body += b"data:" + draw(st.sampled_from([b"", b" "]))
        body += json.dumps(event).encode() + end + end
    body += draw(st.sampled_from([b"data: [DONE]" + end + end, b"data: [DONE]", b""]))
    if draw(st.booleans()):
        body = body.rstrip(b"\r\n")  # without a blank line at the end
    places = sorted(draw(st.lists(st.integers(0, len(body)), max_size=5)))
    return [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True)]


@examples(40, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_response_is_the_same_whole_and_streamed(data: st.DataObject) -> None:
    spoken = data.draw(RESPONSES)
    message = message_of(spoken, data.draw(st.booleans()))
    choice = {"index": 0, "message": message, "finish_reason": spoken.reason}
    body = {"choices": [choice], "usage": spoken.usage}
    expected = comparable(whole(body))
    events = data.draw(events_of(spoken))
    assert comparable(streamed(data.draw(bytes_of(events)))) == expected
    assert comparable(streamed([json.dumps(body).encode()], "application/json")) == expected
    stream = b"".join(data.draw(bytes_of(events)))
    assert comparable(whole(None, stream)) == expected  # it streams without being asked to
    assert comparable(streamed([stream], "text/plain")) == expected


@examples(40)
@given(st.data())
def test_an_answer_that_is_cut_by_an_error_is_never_a_result(data: st.DataObject) -> None:
    spoken = data.draw(RESPONSES)
    events = data.draw(events_of(spoken))[:-2]
    stream = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    error = data.draw(st.sampled_from(ERRORS))
    place = data.draw(st.integers(0, len(stream)))
    with pytest.raises(ModelError, match="queue full"):
        streamed([*stream[:place], error, *stream[place:]])


ERRORS = [
    b'data: {"error": {"message": "queue full", "code": 429}}\n\n',
    b'data: {"error": "queue full"}\n\n',
    b'data: {"error": {"error": {"message": "queue full"}}}\n\n',
    b'data: {"errors": [{"message": "queue full"}]}\n\n',
    b'data: {"object": "error", "message": "queue full"}\n\n',
    b'data: {"type": "error", "error": {"type": "x", "message": "queue full"}}\n\n',
    b'data: {"code": 500, "message": "queue full"}\n\n',
    b'data: {"detail": "queue full"}\n\n',
    b'data: [{"error": {"message": "queue full"}}]\n\n',
    b'data: {"base_resp": {"status_code": 1004, "status_msg": "queue full"}}\n\n',
    b'data: {"choices": [{"error": {"message": "queue full"}, "delta": {}}]}\n\n',
    b'data: {"choices": [], "error": {"message": "queue full"}}\n\n',
    b'event: error\ndata: {"message": "queue full"}\n\n',
    b"event: error\ndata: queue full\n\n",
    b'error: {"code": 500, "message": "queue full"}\n\n',
    b'{"error": {"message": "queue full"}}\n\n',
]


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_at_status_200_is_raised_with_the_words_of_the_service(error: bytes) -> None:
    data = error.partition(b"data: ")[2] or error.partition(b"{")[2]
    if error.startswith(b"data: "):
        with pytest.raises(ModelError, match="queue full"):
            whole(None, data)
    with pytest.raises(ModelError, match="queue full"):
        streamed([error])


@examples(40)
@given(st.data())
def test_a_stream_that_is_cut_anywhere_before_its_reason_is_never_a_result(
    data: st.DataObject,
) -> None:
    spoken = data.draw(RESPONSES)
    events = [
        {"choices": [{"index": 0, "delta": {"content": p}}]} for p in data.draw(cut(spoken.text))
    ]
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    with pytest.raises(ModelError):
        streamed([body[: data.draw(st.integers(0, len(body)))]])


def choices(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"choices": list(fields)}


CALL = {"id": "1", "function": {"name": "hour", "arguments": "{}"}}


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("swapped", [True, False])
def test_text_and_calls_in_two_choices_are_one_answer(indexed: bool, swapped: bool) -> None:
    messages: list[dict[str, Any]] = [{"content": "I look."}, {"tool_calls": [CALL]}]
    if swapped:
        messages.reverse()
    places = [{"index": n} if indexed else {} for n in range(2)]
    body = choices(*({"message": m, **place} for m, place in zip(messages, places, strict=True)))
    result = whole(body)
    assert result.content == [FunctionCall("1", "{}", "hour")]
    assert (result.thought, result.finish_reason) == ("I look.", "function_calls")
    deltas = choices(*({"delta": m, **place} for m, place in zip(messages, places, strict=True)))
    stream = [b"data: " + json.dumps(deltas).encode() + b"\n\ndata: [DONE]\n\n"]
    assert comparable(streamed(stream)) == comparable(result)


def test_one_of_several_texts_is_the_answer() -> None:
    body = choices(
        {"index": 0, "message": {"content": "a"}}, {"index": 1, "message": {"content": "b"}}
    )
    assert whole(body).content == "a"
    events = [
        choices({"index": index, "delta": {"content": text}, "finish_reason": reason})
        for index, text, reason in [
            (1, "b", None),
            (0, "a", None),
            (1, "b", "stop"),
            (0, "", "stop"),
        ]
    ]
    stream = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    assert streamed(stream).content == "a"


def test_an_unknown_part_never_costs_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    parts = [{"type": "smell", "data": 1}, {"type": "text", "text": "a"}, {"type": "smell"}, 7]
    assert whole(choices({"message": {"content": parts}})).content == "a"
    events = [choices({"delta": {"content": [part]}}) for part in parts]
    stream = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    assert streamed([*stream, b"data: [DONE]\n\n"]).content == "a"
    warned = [record.getMessage() for record in caplog.records if "smell" in record.getMessage()]
    assert len(warned) == 1


def test_calls_among_the_parts_of_the_content_are_calls() -> None:
    text = {"type": "text", "text": "I look."}
    call = {"type": "tool_use", "id": "1", "name": "hour", "input": {"zone": "Zürich"}}
    result = whole(choices({"message": {"content": [text, call]}, "finish_reason": "tool_use"}))
    assert result.content == [FunctionCall("1", '{"zone": "Zürich"}', "hour")]
    assert (result.thought, result.finish_reason) == ("I look.", "function_calls")
    events = [choices({"delta": {"content": [part]}}) for part in (text, call)]
    stream = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    assert comparable(streamed([*stream, b"data: [DONE]\n\n"])) == comparable(result)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        # The name comes behind the first piece of the arguments.
        (
            [{"id": "a", "arguments": "{"}, {"name": "hour"}, {"arguments": "}"}],
            [("hour", "{}")],
        ),
        # An empty object stands in the place of the arguments that come later.
        (
            [{"id": "a", "name": "hour", "arguments": "{}"}, {"arguments": '{"a": 1}'}],
            [("hour", '{"a": 1}')],
        ),
        # The name and the id are repeated, also behind the last piece.
        (
            [
                {"id": "a", "name": "hour", "arguments": '{"a"'},
                {"id": "a", "name": "hour", "arguments": ": 1}"},
                {"id": "a", "name": "hour", "arguments": ""},
            ],
            [("hour", '{"a": 1}')],
        ),
        # The last event repeats the whole call.
        (
            [{"id": "a", "name": "hour", "arguments": '{"a": 1}'}] * 2,
            [("hour", '{"a": 1}')],
        ),
        # Known names, without arguments, ids and numbers.
        ([{"name": "hour"}, {"name": "day"}], [("hour", "{}"), ("day", "{}")]),
        ([{"name": "ho"}, {"name": "ur"}], [("hour", "{}")]),
        # Arguments behind a whole object begin another call of the same function.
        (
            [{"name": "hour", "arguments": '{"a": 1}'}, {"arguments": '{"a": 2}'}],
            [("hour", '{"a": 1}'), ("hour", '{"a": 2}')],
        ),
    ],
)
@pytest.mark.parametrize("place", [{}, {"index": 0}, {"index": "0"}])
def test_pieces_of_calls_are_put_together(
    pieces: list[dict[str, Any]], expected: list[tuple[str, str]], place: dict[str, Any]
) -> None:
    events = []
    for piece in pieces:
        function = {name: piece[name] for name in ("name", "arguments") if name in piece}
        call = {**place, "function": function, **({"id": piece["id"]} if "id" in piece else {})}
        events.append(choices({"delta": {"tool_calls": [call]}}))
    stream = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    result = streamed([*stream, b"data: [DONE]\n\n"])
    calls = [call for call in result.content if isinstance(call, FunctionCall)]
    assert [(call.name, call.arguments) for call in calls] == expected


@pytest.mark.parametrize("reason", ["error", "network_error", "abort", "MALFORMED_FUNCTION_CALL"])
@pytest.mark.parametrize("native", [None, "UPSTREAM_GONE"])
def test_a_reason_that_is_an_error_is_raised(reason: str, native: str | None) -> None:
    choice = {"index": 0, "finish_reason": reason, "native_finish_reason": native}
    with pytest.raises(ModelError, match=native or reason):
        whole(choices({**choice, "message": {"content": "Hel"}}))
    event = choices({**choice, "delta": {"content": "Hel"}})
    with pytest.raises(ModelError, match=native or reason):
        streamed([b"data: " + json.dumps(event).encode() + b"\n\n"])


@pytest.mark.parametrize(
    ("usages", "expected"),
    [
        ([{"prompt_tokens": 5, "completion_tokens": n} for n in (1, 2, 7)], (5, 7)),
        ([{"prompt_tokens": 5, "completion_tokens": 7}, {"prompt_tokens": 0}], (5, 7)),
        ([{"input_tokens": 5, "output_tokens": 7}], (5, 7)),
        ([{"prompt_tokens": "5", "total_tokens": 12}], (5, 7)),
    ],
)
def test_usage_is_the_total_so_far(usages: list[Any], expected: tuple[int, int]) -> None:
    events = [{**choices({"delta": {"content": "a"}}), "usage": usage} for usage in usages]
    stream = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    usage = streamed([*stream, b"data: [DONE]\n\n"]).usage
    assert (usage.prompt_tokens, usage.completion_tokens) == expected
