"""What goes wrong between a client and its service is raised as an error that says so."""

import asyncio
import pickle
import traceback

import anthropic
import pytest

from ferrogen.exceptions import (
    FerrogenError,
    ModelConnectionError,
    ModelRateLimitError,
    ModelRequestError,
    ModelResponseError,
    ModelStatusError,
    ModelTimeoutError,
)
from ferrogen.models import UserMessage
from ferrogen.models.anthropic import AnthropicChatCompletionClient

from ...growing_timeouts import TIMEOUTS
from ..conversation import INFO
from ..scripted_server import HANG_UP, RESET, json_response, sse_body
from .conftest import KEY
from .frames import ended, frame, start, stream, text, whole

QUESTION = [UserMessage(content="Weather in Turin?", source="traveller")]
BEGUN = stream(start(), text(0, "Sun"))[:-1]


def refusal(kind, message="not today"):
    return {"type": "error", "error": {"type": kind, "message": message}}


async def asked(client):
    return await client.create(QUESTION)


async def streamed(client):
    return [item async for item in client.create_stream(QUESTION)][-1]


BOTH_WAYS = pytest.mark.parametrize("ask", [asked, streamed])


@BOTH_WAYS
@pytest.mark.parametrize(
    ("status", "ours", "sdks"),
    [
        (400, ModelStatusError, anthropic.BadRequestError),
        (401, ModelStatusError, anthropic.AuthenticationError),
        (404, ModelStatusError, anthropic.NotFoundError),
        (429, ModelRateLimitError, anthropic.RateLimitError),
        (500, ModelStatusError, anthropic.InternalServerError),
        (529, ModelStatusError, anthropic.APIStatusError),
    ],
)
async def test_a_refusal_is_ours_and_the_sdks(server, client, ask, status, ours, sdks):
    server.play(json_response(refusal("whatever"), status, {"retry-after": "7.5"}))
    with pytest.raises(ours, match="not today") as caught:
        await ask(client)
    assert isinstance(caught.value, sdks)
    assert caught.value.status == caught.value.status_code == status
    assert caught.value.retry_after == 7.5
    assert server.url in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
    ],
)
async def test_how_long_the_service_wants_to_be_left_alone(server, client, headers, seconds):
    server.play(json_response(refusal("rate_limit_error"), 429, headers))
    with pytest.raises(ModelRateLimitError) as caught:
        await asked(client)
    assert caught.value.retry_after == seconds


async def test_an_html_error_page_is_reported_in_one_line(server, client):
    server.play(json_response(b"<html>\n<h1>Bad gateway</h1>\n" + b"x" * 5000, 502))
    with pytest.raises(ModelStatusError) as caught:
        await asked(client)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700


async def test_the_sdk_retries_if_configured(server, make_client):
    server.play(json_response(refusal("overloaded_error"), 529, {"retry-after-ms": "1"}))
    server.play(whole({"type": "text", "text": "Hi"}))
    assert (await asked(make_client(max_retries=1))).content == "Hi"


@BOTH_WAYS
async def test_no_server_at_the_address(ask):
    client = AnthropicChatCompletionClient(
        model="m", api_key=KEY, base_url="http://127.0.0.1:1", model_info=INFO, max_retries=0
    )
    with pytest.raises(ModelConnectionError, match="cannot be reached") as caught:
        await ask(client)
    assert isinstance(caught.value, anthropic.APIConnectionError)
    await client.close()


@BOTH_WAYS
async def test_no_response_in_time(server, make_client, ask):
    server.play([asyncio.Event()])
    with pytest.raises(ModelTimeoutError) as caught:
        await ask(make_client(timeout=0.05))
    assert isinstance(caught.value, anthropic.APITimeoutError)
    await server.deserted()


async def test_silence_in_the_middle_of_a_stream(server, make_client):
    for timeout in TIMEOUTS:
        server.play([*BEGUN, asyncio.Event()])
        with pytest.raises(ModelTimeoutError) as caught:
            await streamed(make_client(timeout=timeout))
        if "stopped responding" in str(caught.value):
            break
    assert "stopped responding" in str(caught.value)
    await server.deserted()


@pytest.mark.parametrize("ending", [RESET, HANG_UP])
async def test_a_connection_that_ends_in_the_middle_of_a_stream(server, client, ending):
    server.play([*BEGUN, ending])
    with pytest.raises(ModelConnectionError):
        await streamed(client)


@BOTH_WAYS
async def test_a_connection_that_ends_before_the_response(server, client, ask):
    server.play([HANG_UP])
    with pytest.raises(ModelConnectionError):
        await ask(client)


async def test_a_stream_that_ends_before_its_response_does(server, client):
    server.play(stream(start(), text(0, "Sun")))
    with pytest.raises(ModelResponseError, match="ended before"):
        await streamed(client)


@pytest.mark.parametrize(
    ("kind", "error", "status"),
    [
        ("overloaded_error", ModelStatusError, 529),
        ("rate_limit_error", ModelRateLimitError, 429),
        ("a_new_error", ModelStatusError, 500),
    ],
)
async def test_an_error_in_the_middle_of_a_stream(server, client, kind, error, status):
    server.play(stream(start(), text(0, "Sun"), refusal(kind)))
    with pytest.raises(error, match="not today") as caught:
        await streamed(client)
    assert caught.value.status == status
    await client.close()
    await server.deserted()


@pytest.mark.parametrize(
    "body",
    [
        b"data: {oops\n\n",
        b"data: \xff\xfe\n\n",
        b"data: []\n\n",
        b'data: {"type": 3}\n\n',
        frame(start()) + b'data: {"type": "content_block_delta", "index": 0}\n\n',
        frame(start()) + b'data: {"type": "content_block_start", "index": 0}\n\n',
        frame(start()) + frame(text(0, "a")[1]),
        frame(start()) + frame(text(0)[0]) * 2,
        frame(ended()[1]),
        b"<html>",
        b"",
    ],
)
async def test_a_stream_that_cannot_be_read(server, client, body):
    server.play(sse_body(body))
    with pytest.raises(ModelResponseError):
        await streamed(client)
    await client.close()
    await server.deserted()


async def test_an_endless_event_is_not_collected_forever(server, client, monkeypatch):
    monkeypatch.setattr("ferrogen.models.providers._sse.LARGEST_EVENT", 1000)
    server.play(sse_body(b"data: ", *[b"x" * 100] * 20))
    with pytest.raises(ModelResponseError, match="more than 1000 bytes"):
        await streamed(client)


async def test_bytes_that_are_not_packed_as_they_say(server, client):
    server.play(json_response(b"this is not gzip", headers={"content-encoding": "gzip"}))
    with pytest.raises(ModelResponseError, match="unpacked"):
        await asked(client)


async def test_without_a_key_the_error_says_so():
    client = AnthropicChatCompletionClient(model="m", model_info=INFO)
    with pytest.raises(ModelRequestError, match="api_key"):
        await asked(client)
    await client.close()


async def test_arguments_that_have_no_form_in_json_are_refused(client):
    with pytest.raises(ModelRequestError, match="cannot be written"):
        await client.create(QUESTION, extra_create_args={"metadata": {"user_id": object()}})


@BOTH_WAYS
async def test_no_key_stands_in_an_error(server, client, ask):
    server.play(json_response(refusal("authentication_error", f"{KEY} is not known"), 401))
    with pytest.raises(ModelStatusError, match=r"\*\*\* is not known") as caught:
        await ask(client)
    error = caught.value
    shown = [str(error), repr(error), *traceback.format_exception(error), str(error.body)]
    shown += [str(value) for value in vars(error).values()]
    assert KEY not in "".join(shown)


@pytest.mark.parametrize("key", [f"{KEY}\n", f"{KEY} ключ", f"ключ{KEY}"])
@BOTH_WAYS
async def test_a_key_that_no_header_can_hold_is_not_shown(server, ask, key):
    client = AnthropicChatCompletionClient(
        model="m", api_key=key, base_url=server.url, model_info=INFO, max_retries=0
    )
    with pytest.raises(FerrogenError) as caught:
        await ask(client)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    await client.close()


async def test_no_secret_header_stands_in_an_error(server, make_client):
    client = make_client(default_headers={"X-Gateway-Token": "gateway-secret"})
    server.play(json_response(refusal("authentication_error", "gateway-secret is unknown"), 403))
    with pytest.raises(ModelStatusError, match=r"\*\*\* is unknown"):
        await asked(client)


async def test_an_error_survives_a_pickle_without_what_was_sent(server, client):
    server.play(json_response(refusal("rate_limit_error"), 429, {"retry-after": "2"}))
    with pytest.raises(ModelRateLimitError) as caught:
        await asked(client)
    pickled = pickle.dumps(caught.value)
    assert KEY.encode() not in pickled
    again = pickle.loads(pickled)
    assert (str(again), again.status, again.retry_after) == (str(caught.value), 429, 2)
    assert isinstance(again, anthropic.RateLimitError)
