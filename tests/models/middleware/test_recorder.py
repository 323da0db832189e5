"""What passes through a client is recorded, readable for people, and replayed as it was."""

import asyncio
import json

import openai
import pytest

from ferrogen.exceptions import (
    ClientSetupError,
    ModelConnectionError,
    ModelStatusError,
    ModelTimeoutError,
)
from ferrogen.models import ChatCompletionClient, CreateResult
from ferrogen.models.middleware import Recorder, Replay
from ferrogen.models.scripted import ScriptedClient

from .fakes import QUESTION, GatedClient, ManualClock, asking, settled
from .test_cached import FULL, REQUESTS
from .test_failures import status_error


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cassette.json"


async def test_the_file_is_json_that_a_person_can_read(path):
    recorder = Recorder(ScriptedClient(["straight on", ["le", "ft"]]), path)
    await recorder.create(QUESTION)
    [item async for item in recorder.create_stream(asking("And then, Zoë?"))]
    text = path.read_text(encoding="utf-8")
    assert '\n        "messages": [\n' in text
    assert "And then, Zoë?" in text
    first, second = json.loads(text)["exchanges"]
    assert first["answer"]["result"]["content"] == "straight on"
    assert second["answer"]["pieces"] == ["le", "ft"]
    assert first["request"]["messages"][0]["content"] == "Which way to Turin?"


async def test_the_file_is_complete_after_every_response(path):
    recorder = Recorder(ScriptedClient([str(number) for number in range(3)]), path)
    for number in range(3):
        await recorder.create(QUESTION)
        assert len(json.loads(path.read_text())["exchanges"]) == number + 1


async def test_every_kind_of_request_and_every_detail_of_a_result_is_replayed(path):
    recorder = Recorder(ScriptedClient([FULL] * len(REQUESTS)), path)
    for messages, options in REQUESTS:
        await recorder.create(messages, **options)
    replay = Replay(path)
    for messages, options in REQUESTS:
        assert await replay.create(messages, **options) == FULL
    assert replay.left == 0
    usage = replay.total_usage()
    assert (usage.cost, usage.cached_tokens) == (0.25 * len(REQUESTS), 4 * len(REQUESTS))


async def test_streams_are_replayed_piece_by_piece(path):
    client = Recorder(ScriptedClient([["st", "raight", " on"]]), path)
    recorded = [item async for item in client.create_stream(QUESTION)]
    assert [item async for item in Replay(path).create_stream(QUESTION)] == recorded


@pytest.mark.parametrize(
    ("error", "kind", "attributes"),
    [
        (ModelTimeoutError("late"), ModelTimeoutError, {}),
        (
            ModelStatusError("down", status=503, retry_after=2.0),
            ModelStatusError,
            {"status": 503, "retry_after": 2.0},
        ),
        (status_error(429, retry_after="7"), openai.APIStatusError, {"retry_after": 7.0}),
        (ConnectionResetError("gone"), ModelConnectionError, {}),
    ],
    ids=repr,
)
async def test_failures_are_replayed_as_errors_of_ferrogen(path, error, kind, attributes):
    recorder = Recorder(ScriptedClient([["le", error]]), path, clock=ManualClock())
    with pytest.raises(type(error)):
        [item async for item in recorder.create_stream(QUESTION)]
    stream = Replay(path).create_stream(QUESTION)
    assert await anext(stream) == "le"
    expected = kind if issubclass(kind, RuntimeError) else ModelStatusError
    with pytest.raises(expected, match=str(error)) as caught:
        await anext(stream)
    assert {name: getattr(caught.value, name) for name in attributes} == attributes


async def test_a_fault_of_the_program_is_not_recorded(path):
    recorder = Recorder(ScriptedClient([ZeroDivisionError(), "left"]), path)
    with pytest.raises(ZeroDivisionError):
        await recorder.create(QUESTION)
    await recorder.create(QUESTION)
    assert (await Replay(path).create(QUESTION)).content == "left"


async def test_a_response_without_a_waiter_is_not_recorded(path):
    recorder = Recorder(ScriptedClient([["le", "ft"], "right"]), path)
    stream = recorder.create_stream(QUESTION)
    await anext(stream)
    await stream.aclose()
    await recorder.create(QUESTION)
    assert Replay(path).left == 1


async def test_a_stream_closed_after_the_result_is_recorded(path):
    stream = Recorder(ScriptedClient([["le", "ft"]]), path).create_stream(QUESTION)
    while not isinstance(await anext(stream), CreateResult):
        pass
    await stream.aclose()
    assert Replay(path).left == 1


class Lagging(GatedClient):
    """Responds to the first request when its gate is open, and to the others at once."""

    async def _pass(self, request):
        if request.messages[-1].content == "first":
            await super()._pass(request)


async def test_responses_are_replayed_in_the_order_of_the_requests(path):
    inner = Lagging(["slow", "fast"])
    recorder = Recorder(inner, path)
    first = asyncio.ensure_future(recorder.create(asking("first")))
    await settled()
    await recorder.create(asking("second"))
    inner.gate.set()
    await first
    assert [each["number"] for each in json.loads(path.read_text())["exchanges"]] == [2, 1]
    replay = Replay(path)
    for text in ("first", "second"):
        await replay.create(asking(text))


async def test_a_file_that_was_there_is_replaced_when_something_is_recorded(path):
    for line in ("left", "right"):
        recorder = Recorder(ScriptedClient([line]), path)
        await recorder.create(QUESTION)
    assert (await Replay(path).create(QUESTION)).content == "right"
    Recorder(ScriptedClient([]), path)
    assert Replay(path).left == 1


async def test_half_a_surrogate_pair_is_recorded_too(path):
    recorder = Recorder(ScriptedClient(["odd \ud83d text"]), path)
    recorded = await recorder.create(QUESTION)
    assert await Replay(path).create(QUESTION) == recorded


def test_a_missing_folder_is_reported_before_the_first_request(tmp_path):
    with pytest.raises(ClientSetupError, match="make its folder first"):
        Recorder(ScriptedClient([]), tmp_path / "nowhere" / "cassette.json")


def test_it_is_loaded_as_it_was_dumped(path):
    dumped = Recorder(ScriptedClient(["left"]), path, redact=["Turin"]).dump_component()
    assert ChatCompletionClient.load_component(dumped).dump_component() == dumped
