"""No secret reaches a cassette, wherever it comes from."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from ferrogen import Component
from ferrogen.exceptions import ModelStatusError
from ferrogen.models import AssistantMessage, UserMessage
from ferrogen.models.middleware import Recorder, Replay, Retrying
from ferrogen.models.middleware.redaction import REDACTED, Redaction
from ferrogen.models.scripted import ScriptedClient

from .fakes import QUESTION

KEY = "no-shape-at-all-but-secret"


class KeyConfig(BaseModel):
    api_key: str | SecretStr


class KeyClient(ScriptedClient, Component[KeyConfig]):
    component_config_schema = KeyConfig

    def __init__(self, lines, key):
        super().__init__(lines)
        self.key = key

    def _to_config(self):
        return KeyConfig(api_key=self.key)


@pytest.mark.parametrize("key", [KEY, SecretStr(KEY)])
async def test_the_key_of_the_client_is_not_written_wherever_it_stands(tmp_path, key):
    path = tmp_path / "cassette.json"
    lines = [f"you said {KEY}", ModelStatusError(f"bad key {KEY}", status=401)]
    recorder = Recorder(Retrying(KeyClient(lines, key)), path)
    await recorder.create([UserMessage(content=f"it is {KEY}", source="me")])
    with pytest.raises(ModelStatusError):
        await recorder.create(QUESTION)
    assert KEY not in path.read_text()
    assert path.read_text().count(REDACTED) == 3


@given(st.text("ab ", max_size=6), st.text("ab ", max_size=6), st.lists(st.integers(0, 40)))
def test_a_key_is_taken_out_however_the_text_is_cut(before, after, cuts):
    text = f"{before}{KEY}{after}{KEY}"
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[begin:end] for begin, end in pairwise(places)]
    clean = Redaction(secrets=[KEY]).pieces(pieces)
    assert "".join(clean) == f"{before}{REDACTED}{after}{REDACTED}"
    assert len(clean) == len(pieces)


async def test_a_key_that_comes_in_pieces_is_not_written(tmp_path):
    path = tmp_path / "cassette.json"
    recorder = Recorder(KeyClient([["it is ", KEY[:7], KEY[7:], "."]], KEY), path)
    [item async for item in recorder.create_stream(QUESTION)]
    assert json.loads(path.read_text())["exchanges"][0]["answer"]["pieces"] == [
        "it is ",
        REDACTED,
        "",
        ".",
    ]


async def test_keys_in_the_environment_are_not_written(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_SERVICE_API_KEY", KEY)
    path = tmp_path / "cassette.json"
    await Recorder(ScriptedClient([f"{KEY}?"]), path).create(QUESTION)
    assert KEY not in path.read_text()


async def test_secrets_among_the_arguments_are_not_written_and_the_request_still_fits(tmp_path):
    path = tmp_path / "cassette.json"
    headers = {"Authorization": "Basic Zm9vOmJhcg", "x-api-key": "abc", "x-trace": "17"}
    options = {"extra_create_args": {"extra_headers": headers, "max_tokens": 5}}
    await Recorder(ScriptedClient(["left"]), path).create(QUESTION, **options)
    text = path.read_text()
    assert "Zm9v" not in text
    assert "abc" not in text
    assert '"x-trace": "17"' in text
    assert '"max_tokens": 5' in text
    headers["x-api-key"] = "another"
    assert (await Replay(path).create(QUESTION, **options)).content == "left"


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj-abcdefghijklmnop1234",
        "sk-ant-api03-abcdefghijklmnop",
        "Authorization: Bearer abcdef.ghi",
        'call {"api_key": "short1"} now',
        "?api-key=short1",
        "AIzaSyA1234567890abcdefghij",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc",
    ],
)
def test_what_is_shaped_like_a_key_is_taken_out(text):
    redacted = Redaction()(text)
    assert REDACTED in redacted
    assert not any(
        part in redacted for part in ("abcdefgh", "abcdef.", "short1", "1234567890", "eyJ")
    )


@pytest.mark.parametrize(
    "value",
    [
        "a bearer of news, a task-oriented risk-averse disk-based key",
        {"token": "a", "api_key": "it is"},
        {"monkey": "see", "n": None, "on": True},
        ["short", 1, 2.5],
    ],
)
def test_what_is_no_secret_stays(value):
    assert Redaction()(value) == value


def test_names_mark_secrets_among_the_extra_arguments_only():
    names = {"max_tokens": 5, "monkey": "see", "keywords": "a", "key": {"type": "string"}}
    secret = {"token": "a", "api_key": "b", "inner": [{"Set-Cookie": "c"}]}
    form = {"messages": [secret], "extra_create_args": {**names, **secret}}
    assert Redaction().request(form) == {
        "messages": [secret],
        "extra_create_args": {
            **names,
            "token": REDACTED,
            "api_key": REDACTED,
            "inner": [{"Set-Cookie": REDACTED}],
        },
    }


def test_more_can_be_named():
    assert Redaction([r"\d{3}-\d{4}"])(["call 555-1234"]) == [f"call {REDACTED}"]


async def test_the_replay_takes_out_what_the_recorder_did(tmp_path):
    path, patterns = tmp_path / "cassette.json", [r"Turin"]
    await Recorder(ScriptedClient(["left"]), path, redact=patterns).create(QUESTION)
    assert "Turin" not in path.read_text()
    asked = [*QUESTION, AssistantMessage(content="x", source="y")][:1]
    assert (await Replay(path, redact=patterns).create(asked)).content == "left"
