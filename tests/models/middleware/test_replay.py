"""A replay returns each recorded response once, for the request it was recorded for."""

import json

import pytest

from ferrogen.exceptions import CassetteError, ReplayMismatchError
from ferrogen.models import ChatCompletionClient
from ferrogen.models.middleware import Recorder, Replay
from ferrogen.models.scripted import ScriptedClient

from .fakes import QUESTION, asking


@pytest.fixture
async def path(tmp_path):
    """The recording of a first and a second question, and then the first once more."""
    path = tmp_path / "cassette.json"
    recorder = Recorder(ScriptedClient(["one", "two", "three"], context_length=99), path)
    for text in ("first", "second", "first"):
        await recorder.create(asking(text))
    return path


async def test_in_strict_order_a_request_out_of_order_is_a_mismatch(path):
    replay = Replay(path)
    with pytest.raises(ReplayMismatchError, match=r"request 1 is not in .*cassette\.json"):
        await replay.create(asking("second"))
    assert (await replay.create(asking("first"))).content == "one"
    assert replay.left == 2


async def test_in_any_order_equal_requests_get_their_responses_in_order(path):
    replay = Replay(path, order="any")
    contents = [
        (await replay.create(asking(text))).content for text in ("second", "first", "first")
    ]
    assert contents == ["two", "one", "three"]


@pytest.mark.parametrize("order", ["strict", "any"])
async def test_a_mismatch_shows_what_differs_from_the_likeliest_request(path, order):
    with pytest.raises(ReplayMismatchError) as caught:
        await Replay(path, order=order).create(asking("firsts"), json_output=True)
    lines = str(caught.value).splitlines()
    assert '-        "content": "first",' in lines
    assert '+        "content": "firsts",' in lines
    assert '+    "json_output": true,' in lines
    assert not any("second" in line for line in lines)


async def test_a_stream_is_another_request(path):
    with pytest.raises(ReplayMismatchError, match=r'\+  "streaming": true'):
        await anext(Replay(path).create_stream(asking("first")))


async def test_after_the_last_response_there_are_no_more(path):
    replay = Replay(path, order="any")
    for text in ("first", "second", "first"):
        await replay.create(asking(text))
    with pytest.raises(ReplayMismatchError, match="has 3 responses, and all were used"):
        await replay.create(asking("first"))


def test_it_claims_what_the_recorded_client_did(path):
    replay = Replay(path)
    assert replay.model_info == replay.capabilities == ScriptedClient([]).model_info
    assert replay.remaining_tokens(QUESTION) == 99 - replay.count_tokens(QUESTION) < 99


class Downloading(ScriptedClient):
    def remaining_tokens(self, messages, *, tools=()):
        raise ConnectionError("no tokenizer to be had")


async def test_a_client_that_cannot_count_is_recorded_without_its_context_length(tmp_path):
    path = tmp_path / "cassette.json"
    await Recorder(Downloading(["left"]), path).create(QUESTION)
    with pytest.raises(CassetteError, match="no context_length; write one into the file"):
        Replay(path).remaining_tokens(QUESTION)
    path.write_text(path.read_text().replace('"context_length": null', '"context_length": 99'))
    assert Replay(path).remaining_tokens([]) <= 99


async def test_a_person_may_edit_the_file(path):
    path.write_text(path.read_text().replace('"one"', '"uno"'))
    assert (await Replay(path).create(asking("first"))).content == "uno"


def broken(change):
    def edit(path):
        form = json.loads(path.read_text())
        change(form)
        path.write_text(json.dumps(form))

    return edit


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda path: path.write_text("Dear Ada"), "is not a cassette"),
        (lambda path: path.write_text("[]"), "is not a cassette"),
        (lambda path: path.write_bytes(b"\xff"), "is not a cassette"),
        (broken(lambda form: form.pop("model_info")), "lacks 'model_info'"),
        (broken(lambda form: form["model_info"].pop("vision")), "vision"),
        (broken(lambda form: form.update(cassette=2)), "version 2, which is not known"),
        (broken(lambda form: form.update(context_length="long")), "context_length is not a number"),
        (broken(lambda form: form["exchanges"][0].pop("answer")), "lacks 'answer'"),
        (broken(lambda form: form["exchanges"][0]["answer"].clear()), "lacks 'result'"),
        (
            broken(lambda form: form["exchanges"][0]["answer"].update(error={"type": "KeyError"})),
            "'KeyError' is not an error of a model",
        ),
        (
            broken(lambda form: form["exchanges"][0]["answer"]["result"].update(content=7)),
            "content",
        ),
    ],
)
def test_what_is_no_cassette_is_refused_by_its_name(path, edit, words):
    edit(path)
    with pytest.raises(CassetteError, match=words) as caught:
        Replay(path)
    assert "cassette.json" in str(caught.value)


def test_a_file_that_is_not_there_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        Replay(tmp_path / "cassette.json")


def test_it_is_loaded_as_it_was_dumped(path):
    dumped = Replay(path, order="any", redact=["x"]).dump_component()
    assert ChatCompletionClient.load_component(dumped).dump_component() == dumped
