"""A key goes to the service, and nowhere else."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr

from ferrogen import EVENT_LOGGER_NAME
from ferrogen.components import EnvironmentSecret
from ferrogen.exceptions import ClientSetupError, FerrogenError, SecretError
from ferrogen.models import ChatCompletionClient
from ferrogen.models.openai import AzureOpenAIChatCompletionClient, OpenAIChatCompletionClient

from ..scripted_server import ScriptedServer, json_response, sse_response
from .conftest import KEY
from .responses import HELLO, piece, streamed, whole

MakeClient = Callable[..., OpenAIChatCompletionClient]


def test_a_key_is_not_shown(client: OpenAIChatCompletionClient) -> None:
    assert KEY not in repr(client) + str(client)


def test_a_password_in_an_address_is_not_shown(client_of: MakeClient) -> None:
    assert "hunter2" not in repr(client_of(base_url="http://ada:hunter2@localhost/v1"))


async def test_a_word_in_place_of_a_key_is_not_taken_out_of_errors(
    server: ScriptedServer, client_of: MakeClient
) -> None:
    server.play(json_response({"error": {"message": "none of your business"}}, 400))
    with pytest.raises(FerrogenError, match="none of your business"):
        await client_of(api_key="none").create(HELLO)


def test_a_dump_holds_the_key_as_a_secret_and_json_only_its_mask(
    client_of: MakeClient,
) -> None:
    dumped = client_of(default_headers={"X-Api-Key": KEY, "x-team": "blue"}).dump_component()
    assert KEY not in dumped.model_dump_json() + repr(dumped) + str(dumped)
    assert isinstance(dumped.config["api_key"], SecretStr)
    assert dumped.config["default_headers"]["x-team"] == "blue"


async def test_a_dump_that_never_was_json_loads_with_its_key(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    loaded = ChatCompletionClient.load_component(client.dump_component())
    server.play(json_response(whole("ciao")))
    assert (await loaded.create(HELLO)).content == "ciao"
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    await loaded.close()


async def test_a_dump_that_was_json_takes_its_key_from_the_environment(
    server: ScriptedServer, client: OpenAIChatCompletionClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-other-machine")
    text = client.dump_component().model_dump_json()
    loaded = ChatCompletionClient.load_component(json.loads(text))
    server.play(json_response(whole("ciao")))
    await loaded.create(HELLO)
    assert server.requests[0].headers["authorization"] == "Bearer sk-of-the-other-machine"
    await loaded.close()


def test_a_mask_is_never_taken_for_a_key() -> None:
    client = OpenAIChatCompletionClient(model="gpt-4o", api_key=KEY)
    text = client.dump_component().model_dump_json()
    with pytest.raises(ClientSetupError, match="set OPENAI_API_KEY, or pass api_key"):
        ChatCompletionClient.load_component(json.loads(text))


def test_a_key_of_the_environment_is_in_no_dump(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    client = OpenAIChatCompletionClient(model="gpt-4o")
    assert "api_key" not in client.dump_component().config
    copied = pickle.loads(pickle.dumps(client))
    assert copied.dump_component() == client.dump_component()
    assert KEY.encode() not in pickle.dumps(client)


async def test_a_key_by_reference_is_dumped_pickled_and_loaded_as_one(
    server: ScriptedServer, client_of: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM_KEY", KEY)
    client = client_of(
        api_key=EnvironmentSecret("TEAM_KEY"),
        default_headers={"x-api-key": EnvironmentSecret("TEAM_KEY")},
    )
    dumped = client.dump_component()
    assert dumped.config["api_key"] == {"$env": "TEAM_KEY"}
    assert dumped.config["default_headers"] == {"x-api-key": {"$env": "TEAM_KEY"}}
    assert KEY not in dumped.model_dump_json() + repr(dumped)
    assert KEY.encode() not in pickle.dumps(client)
    loaded = ChatCompletionClient.load_component(json.loads(dumped.model_dump_json()))
    for one in (client, pickle.loads(pickle.dumps(client)), copy.copy(client), loaded):
        server.play(json_response(whole("ciao")))
        await one.create(HELLO)
        assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}"
        assert server.requests[-1].headers["x-api-key"] == KEY
        assert one.dump_component() == dumped
        await one.close()


def test_a_reference_to_an_unset_variable_is_reported(client_of: MakeClient) -> None:
    with pytest.raises(SecretError, match="'TEAM_KEY' of a secret is not set"):
        client_of(api_key=EnvironmentSecret("TEAM_KEY"))


def test_a_client_with_a_key_is_not_pickled(client: OpenAIChatCompletionClient) -> None:
    for copying in (pickle.dumps, copy.copy):
        with pytest.raises(ClientSetupError, match="let it come from the environment"):
            copying(client)  # type: ignore[operator]


def test_a_missing_key_is_reported() -> None:
    with pytest.raises(ClientSetupError, match="set OPENAI_API_KEY, or pass api_key"):
        OpenAIChatCompletionClient(model="gpt-4o")
    with pytest.raises(ClientSetupError, match="set AZURE_OPENAI_API_KEY"):
        AzureOpenAIChatCompletionClient(model="gpt-4o")


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    "response",
    [
        json_response({"error": {"message": f"Incorrect API key provided: {KEY}"}}, 401),
        json_response(f"who is {KEY}?".encode(), 500),
        json_response({"error": {"message": f"who is {KEY}?"}}),
        json_response(f"who is {KEY}?".encode()),
        sse_response({"error": {"message": f"who is {KEY}?"}}),
        sse_response(f"who is {KEY}?"),
    ],
)
async def test_a_service_that_repeats_the_key_does_not_get_it_into_an_error(
    server: ScriptedServer, client: OpenAIChatCompletionClient, response: Any, streaming: bool
) -> None:
    server.play(response)
    with pytest.raises(FerrogenError) as got:
        await (streamed(client) if streaming else client.create(HELLO))
    error: Any = got.value
    shown = "".join(traceback.format_exception(error)) + repr(vars(error)) + repr(error.__cause__)
    assert KEY not in shown


async def test_a_key_that_no_header_can_hold_is_not_shown(client_of: MakeClient) -> None:
    key = "sk-ключ-do-not-show"
    with pytest.raises(FerrogenError) as got:
        await client_of(api_key=key).create(HELLO)
    assert "do-not-show" not in "".join(traceback.format_exception(got.value))


async def test_events_and_spans_do_not_hold_the_key(
    server: ScriptedServer,
    client: OpenAIChatCompletionClient,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", provider)
    with caplog.at_level(logging.DEBUG, EVENT_LOGGER_NAME):
        server.play(json_response(whole("ciao")), sse_response(piece("ciao", "stop")))
        await client.create(HELLO)
        await streamed(client)
        server.play(json_response({"error": {"message": KEY}}, 401))
        with pytest.raises(FerrogenError):
            await client.create(HELLO)
    assert len(caplog.records) == 3
    assert KEY not in caplog.text
    assert [span.name for span in exporter.get_finished_spans()] == ["chat gpt-4o"] * 3
    assert KEY not in "".join(span.to_json() for span in exporter.get_finished_spans())
