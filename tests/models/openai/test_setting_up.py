"""Clients are made from autogen-ext's arguments, as components, for OpenAI, Azure and others."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from ferrogen import ComponentModel
from ferrogen.exceptions import ClientSetupError, ModelInfoError
from ferrogen.model_context import TokenLimitedChatCompletionContext
from ferrogen.models import ChatCompletionClient, UserMessage
from ferrogen.models.openai import AzureOpenAIChatCompletionClient, OpenAIChatCompletionClient
from ferrogen.models.registry import UnknownModelWarning

from ..conversation import INFO
from ..scripted_server import ScriptedServer, json_response
from .conftest import KEY
from .responses import HELLO, whole

MakeClient = Callable[..., OpenAIChatCompletionClient]


def test_an_unknown_model_is_taken_for_a_simple_one_with_a_warning(client_of: MakeClient) -> None:
    with pytest.warns(UnknownModelWarning, match="pass model_info to its client"):
        client = client_of(model="a-model-of-this-test")
    assert not client.model_info["function_calling"]


def test_what_is_said_of_a_model_goes_before_what_is_known(client_of: MakeClient) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert client_of(model="unknown-model", model_info=INFO).model_info == INFO


def test_the_older_way_to_say_it_is_understood(client_of: MakeClient) -> None:
    able = {"vision": False, "function_calling": True, "json_output": False}
    with pytest.warns(DeprecationWarning, match="model_capabilities is deprecated"):
        client = client_of(model="mine", model_capabilities=able)
    assert client.model_info["function_calling"]
    with pytest.warns(DeprecationWarning, match="capabilities is deprecated"):
        assert client.capabilities["function_calling"]
    with pytest.raises(ClientSetupError, match="mutually exclusive"):
        client_of(model_capabilities=able, model_info=INFO)


def test_an_incomplete_info_is_refused(client_of: MakeClient) -> None:
    with pytest.raises(ModelInfoError, match="Missing required field 'vision'"):
        client_of(model_info={"family": "unknown"})


def test_a_format_that_the_model_cannot_keep_to_is_refused(client_of: MakeClient) -> None:
    with pytest.raises(ModelInfoError, match="does not support JSON output"):
        client_of(model="gpt-4", response_format={"type": "json_object"})


def test_a_model_is_required() -> None:
    with pytest.raises(ClientSetupError, match="model is required"):
        OpenAIChatCompletionClient(api_key=KEY)


async def test_a_component_is_made_again_with_all_its_arguments(
    server: ScriptedServer, client_of: MakeClient
) -> None:
    client = client_of(temperature=0.5, stop=["."], model_info=INFO, add_name_prefixes=True)
    dumped = client.dump_component()
    assert dumped.provider == "ferrogen.models.openai.OpenAIChatCompletionClient"
    loaded = ChatCompletionClient.load_component(dumped)
    assert isinstance(loaded, OpenAIChatCompletionClient)
    assert loaded.dump_component() == dumped
    server.play(json_response(whole("a")), json_response(whole("b")))
    await client.create(HELLO)
    await loaded.create(HELLO)
    first, second = server.requests
    assert first.json == second.json
    assert first.json["temperature"] == 0.5
    await loaded.close()


def test_what_cannot_be_written_is_not_dumped(client_of: MakeClient) -> None:
    async def token() -> str:
        return "t"

    azure = AzureOpenAIChatCompletionClient(
        model="gpt-4o",
        azure_endpoint="https://x.invalid",
        api_version="v",
        azure_ad_token_provider=token,
    )
    with pytest.raises(ClientSetupError, match="azure_ad_token_provider cannot be dumped"):
        azure.dump_component()


@pytest.mark.parametrize(
    ("model", "variable", "address"),
    [
        ("gemini-2.0-flash", "GEMINI_API_KEY", "https://generativelanguage.googleapis.com/"),
        ("claude-3-5-haiku", "ANTHROPIC_API_KEY", "https://api.anthropic.com/"),
        ("Llama-3.3-8B-Instruct", "LLAMA_API_KEY", "https://api.llama.com/"),
        ("gpt-4o", "OPENAI_API_KEY", "https://api.openai.com/"),
    ],
)
def test_a_service_is_found_by_the_name_of_its_model(
    model: str, variable: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, KEY)
    assert f"base_url=URL('{address}" in repr(OpenAIChatCompletionClient(model=model))


async def test_a_server_at_home_needs_no_key(server: ScriptedServer) -> None:
    client = OpenAIChatCompletionClient(model="qwen3:8b", base_url=server.url)
    server.play(json_response(whole("ciao")))
    assert (await client.create(HELLO)).content == "ciao"
    await client.close()


async def test_azure_requests_go_to_the_deployment(server: ScriptedServer) -> None:
    client = AzureOpenAIChatCompletionClient(
        model="gpt-4o",
        azure_endpoint=server.url,
        azure_deployment="our-gpt",
        api_version="2024-10-21",
        api_key=KEY,
        max_retries=0,
    )
    server.play(json_response(whole("ciao")))
    assert (await client.create(HELLO)).content == "ciao"
    request = server.requests[0]
    assert request.path == "/openai/deployments/our-gpt/chat/completions?api-version=2024-10-21"
    assert request.headers["api-key"] == KEY
    dumped = client.dump_component()
    assert dumped.provider == "ferrogen.models.openai.AzureOpenAIChatCompletionClient"
    loaded = AzureOpenAIChatCompletionClient.load_component(dumped)
    assert loaded.dump_component() == dumped
    assert KEY not in dumped.model_dump_json() + repr(client)
    await loaded.close()
    await client.close()


def test_tokens_are_counted_against_the_context_of_the_model(client_of: MakeClient) -> None:
    client = client_of(model="gpt-4")
    counted = client.count_tokens(HELLO)
    assert 0 < counted < 20
    assert client.remaining_tokens(HELLO) == 8192 - counted


def test_what_is_left_of_an_unknown_context_is_not_guessed(client_of: MakeClient) -> None:
    client = client_of(model="unknown-model", model_info=INFO)
    with pytest.raises(ModelInfoError, match="context length of unknown-model is not known"):
        client.remaining_tokens(HELLO)


async def test_a_token_limited_context_respects_the_model(client_of: MakeClient) -> None:
    context = TokenLimitedChatCompletionContext(client_of(model="gpt-4"))
    for _ in range(3):
        await context.add_message(UserMessage(content="word " * 4000, source="me"))
    assert len(await context.get_messages()) == 2


@pytest.mark.parametrize(
    ("program", "printed"),
    [
        (
            "sys.modules['openai'] = None\nimport ferrogen.models.openai",
            "MissingDependencyError: ferrogen.models.openai needs the openai package: "
            "pip install 'ferrogen[openai]'",
        ),
        (
            "import ferrogen.models, ferrogen.models.registry, ferrogen.models.usage\n"
            "raise SystemExit('with' if 'openai' in sys.modules else 'without')",
            "without",
        ),
        (
            "sys.modules['httpx'] = None  # of clients without an SDK\n"
            "import ferrogen.models.openai\nraise SystemExit('imported')",
            "imported",
        ),
    ],
)
def test_the_sdk_is_needed_by_its_client_alone(program: str, printed: str) -> None:
    command = [sys.executable, "-c", f"import sys\n{program}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.strip().endswith(printed)


def test_a_config_of_another_place_is_read() -> None:
    config: dict[str, Any] = {
        "provider": "ferrogen.models.openai.OpenAIChatCompletionClient",
        "config": {"model": "gpt-4o", "base_url": "http://localhost:1/v1", "temperature": 0.1},
    }
    client = ChatCompletionClient.load_component(ComponentModel(**config))
    assert client.model_info["vision"]
