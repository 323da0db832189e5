"""Clients as components: dumped, loaded, pickled, shown and logged, and never with their key."""

import json
import logging
import pickle
import warnings

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr

from ferrogen import EVENT_LOGGER_NAME, ComponentModel
from ferrogen.components import EnvironmentSecret
from ferrogen.exceptions import ClientSetupError, ModelInfoError, ModelStatusError
from ferrogen.logging import LLMCallEvent, LLMStreamEndEvent, LLMStreamStartEvent
from ferrogen.models import ChatCompletionClient, UserMessage
from ferrogen.models.anthropic import (
    AnthropicChatCompletionClient,
    AnthropicClientConfiguration,
    AnthropicClientConfigurationConfigModel,
)
from ferrogen.models.registry import UnknownModelWarning

from ..scripted_server import json_response
from .conftest import KEY
from .frames import ended, start, stream, text, whole

QUESTION = [UserMessage(content="Weather in Turin?", source="traveller")]
SAYS = {"type": "text", "text": "Sunny."}
HEADERS = {"X-Auth-Token": KEY, "X-Team": "blue"}


async def key_that_is_used(server, client):
    server.play(whole(SAYS))
    await client.create(QUESTION)
    await client.close()
    headers = server.requests[-1].headers
    # Which of the two it is depends on the version of the SDK.
    return headers.get("x-api-key") or headers["authorization"].removeprefix("Bearer ")


async def test_a_dump_can_be_loaded_and_shows_no_key(server, make_client):
    client = make_client(temperature=0.5, default_headers=HEADERS)
    dumped = client.dump_component()
    assert dumped.provider == "ferrogen.models.anthropic.AnthropicChatCompletionClient"
    assert dumped.component_type == "model"
    assert KEY not in dumped.model_dump_json() + repr(dumped) + str(dumped.model_dump())
    loaded = ChatCompletionClient.load_component(dumped)
    assert isinstance(loaded, AnthropicChatCompletionClient)
    assert await key_that_is_used(server, loaded) == KEY
    request = server.requests[-1]
    assert request.json["temperature"] == 0.5
    assert (request.headers["x-auth-token"], request.headers["x-team"]) == (KEY, "blue")


async def test_a_dump_that_went_through_json_finds_its_key_in_the_environment(
    server, make_client, monkeypatch
):
    client = make_client(default_headers=HEADERS)
    written = client.dump_component().model_dump_json()
    monkeypatch.setenv("ANTHROPIC_API_KEY", "another")
    loaded = ChatCompletionClient.load_component(ComponentModel.model_validate_json(written))
    assert await key_that_is_used(server, loaded) == "another"
    assert "x-auth-token" not in server.requests[-1].headers
    assert server.requests[-1].headers["x-team"] == "blue"


def test_a_config_of_autogen_ext_is_read():
    config = {
        "model": "claude-3-5-haiku-20241022",
        "api_key": KEY,
        "max_tokens": 4096,
        "temperature": 1.0,
        "thinking": {"type": "enabled", "budget_tokens": 2048},
        "tool_choice": "auto",
        "metadata": {"user_id": "7"},
    }
    loaded = AnthropicChatCompletionClient.load_component(
        ComponentModel(
            provider="ferrogen.models.anthropic.AnthropicChatCompletionClient", config=config
        )
    )
    assert loaded.model_info["family"] == "claude-3-5-haiku"
    assert loaded.dump_component().config["thinking"]["budget_tokens"] == 2048


def test_the_arguments_of_autogen_exts_client_are_known():
    create = {"max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "metadata"}
    create |= {"response_format", "thinking", "tools", "tool_choice"}
    service = {"api_key", "base_url", "timeout", "max_retries", "default_headers"}
    known = {"model", "model_info", "model_capabilities"}
    assert create | service | known <= AnthropicClientConfiguration.__annotations__.keys()
    fields = AnthropicClientConfigurationConfigModel.model_fields.keys()
    assert create | service | known <= fields


async def test_a_key_may_be_given_as_a_secret(server, make_client):
    client = AnthropicChatCompletionClient(
        model="claude-3-5-haiku-20241022", api_key=SecretStr(KEY), base_url=server.url
    )
    assert await key_that_is_used(server, client) == KEY


async def test_a_pickled_client_finds_its_key_in_the_environment(server, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "another")
    client = AnthropicChatCompletionClient(
        model="claude-3-5-haiku", temperature=0.5, base_url=server.url
    )
    again = pickle.loads(pickle.dumps(client))
    assert await key_that_is_used(server, again) == "another"
    assert server.requests[-1].json["temperature"] == 0.5


def test_a_client_that_was_given_its_key_is_not_pickled(client):
    with pytest.raises(ClientSetupError, match="environment"):
        pickle.dumps(client)


async def test_a_key_by_reference_is_dumped_and_pickled_as_one(server, monkeypatch):
    monkeypatch.setenv("TEAM_KEY", KEY)
    client = AnthropicChatCompletionClient(
        model="claude-3-5-haiku", api_key=EnvironmentSecret("TEAM_KEY"), base_url=server.url
    )
    dumped = client.dump_component()
    assert dumped.config["api_key"] == {"$env": "TEAM_KEY"}
    again = pickle.loads(pickle.dumps(client))
    assert again.dump_component() == dumped
    assert await key_that_is_used(server, again) == KEY


def test_a_client_does_not_show_its_key(make_client):
    client = make_client(default_headers=HEADERS)
    assert repr(client) == str(client) == "AnthropicChatCompletionClient(model='scripted')"
    assert KEY not in str(vars(client))


def test_an_unknown_model_is_warned_of_once_and_works():
    with pytest.warns(UnknownModelWarning, match="a-model-of-ours"):
        client = AnthropicChatCompletionClient(model="a-model-of-ours", api_key=KEY)
    assert not client.model_info["vision"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AnthropicChatCompletionClient(model="a-model-of-ours", api_key=KEY)


def test_a_client_without_a_model_is_refused():
    with pytest.raises(ClientSetupError, match="model is required"):
        AnthropicChatCompletionClient(api_key=KEY)
    with pytest.raises(ModelInfoError, match="function_calling"):
        AnthropicChatCompletionClient(model="m", model_info={"vision": True})


def test_an_argument_that_does_not_exist_is_refused():
    with pytest.raises(ClientSetupError, match="no argument 'temprature'"):
        AnthropicChatCompletionClient(model="m", api_key=KEY, temprature=1)


def test_model_capabilities_is_accepted_for_model_info():
    said = {"vision": False, "function_calling": True, "json_output": True}
    client = AnthropicChatCompletionClient(model="m", api_key=KEY, model_capabilities=said)
    assert client.model_info == {**said, "structured_output": False, "family": "unknown"}


def test_capabilities_are_deprecated(client):
    with pytest.warns(DeprecationWarning, match="model_info"):
        assert client.capabilities == client.model_info


@pytest.fixture
def logged(caplog):
    """Give a function that lists the events, with all loggers wide open."""
    caplog.set_level(logging.DEBUG)
    return lambda: [record.msg for record in caplog.records if record.name == EVENT_LOGGER_NAME]


async def test_a_call_is_logged(server, client, logged, caplog):
    server.play(whole(SAYS))
    await client.create(QUESTION)
    [event] = logged()
    assert isinstance(event, LLMCallEvent)
    assert (event.prompt_tokens, event.completion_tokens) == (12, 30)
    facts = json.loads(str(event))
    assert facts["messages"][0]["content"][0]["text"] == "Weather in Turin?"
    assert facts["response"]["content"] == "Sunny."
    assert KEY not in caplog.text


async def test_a_stream_is_logged_at_its_start_and_its_end(server, client, logged, caplog):
    server.play(stream(start(), text(0, "Sunny."), ended()))
    async for item in client.create_stream(QUESTION):
        if item == "Sunny.":
            assert [type(event) for event in logged()] == [LLMStreamStartEvent]
    begun, complete = logged()
    assert isinstance(complete, LLMStreamEndEvent)
    assert "Turin" in str(begun)
    assert json.loads(str(complete))["response"]["content"] == "Sunny."
    assert (complete.prompt_tokens, complete.completion_tokens) == (12, 30)
    assert KEY not in caplog.text


async def test_a_trace_has_a_span_for_each_request_and_no_key(server, client, monkeypatch):
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", provider)
    server.play(whole(SAYS), stream(start(), text(0, "Sunny."), ended()))
    await client.create(QUESTION)
    _ = [item async for item in client.create_stream(QUESTION)]
    server.play(json_response({"error": {"message": KEY}}, 401))
    with pytest.raises(ModelStatusError):
        await client.create(QUESTION)
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["chat scripted"] * 3
    assert [span.status.is_ok for span in spans] == [True, True, False]
    assert [span.attributes.get("gen_ai.usage.output_tokens") for span in spans] == [30, 30, None]
    assert KEY not in "".join(span.to_json() for span in spans)


async def test_nothing_is_logged_without_a_listener(server, client, logged, monkeypatch):
    monkeypatch.setattr(LLMCallEvent, "__init__", None)
    logging.getLogger(EVENT_LOGGER_NAME).setLevel(logging.WARNING)
    try:
        server.play(whole(SAYS))
        await client.create(QUESTION)
    finally:
        logging.getLogger(EVENT_LOGGER_NAME).setLevel(logging.NOTSET)
    assert logged() == []
