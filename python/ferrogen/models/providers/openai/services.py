"""Endpoints: OpenAI, Azure, and the SDK's clients for them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import msgspec

from ferrogen.exceptions import ClientSetupError
from ferrogen.models.providers.openai.sdk import openai

_PLACEHOLDER = "no-key"


class Service(msgspec.Struct, frozen=True):
    """A service that is known by the names of its models."""

    prefix: str
    """How the names begin."""

    base_url: str
    """Where it is."""

    key_variable: str
    """The environment variable that holds its key."""


_SERVICES = (
    Service(
        "gemini-", "https://generativelanguage.googleapis.com/v1beta/openai/", "GEMINI_API_KEY"
    ),
    Service("claude-", "https://api.anthropic.com/v1/", "ANTHROPIC_API_KEY"),
    Service("Llama-", "https://api.llama.com/compat/v1/", "LLAMA_API_KEY"),
)

_OF_EVERY_CLIENT = (
    *("organization", "project", "timeout", "max_retries", "default_headers", "default_query"),
    *("http_client", "api_key"),
)
_OF_OPENAI = (*_OF_EVERY_CLIENT, "base_url")
_OF_AZURE = (
    *_OF_EVERY_CLIENT,
    *("azure_endpoint", "azure_deployment", "api_version", "azure_ad_token"),
    "azure_ad_token_provider",
)


def openai_client(arguments: Mapping[str, Any]) -> openai.AsyncOpenAI:
    """Make the SDK's client.

    Raises:
        ClientSetupError: There is no key, or the SDK refuses an argument.
    """
    chosen = {name: arguments[name] for name in _OF_OPENAI if arguments.get(name) is not None}
    for service in _SERVICES:
        if arguments["model"].startswith(service.prefix) and "base_url" not in chosen:
            chosen["base_url"] = service.base_url
            if "api_key" not in chosen and (key := os.environ.get(service.key_variable)):
                chosen["api_key"] = key
    elsewhere = "base_url" in chosen or "OPENAI_BASE_URL" in os.environ
    if elsewhere and "api_key" not in chosen and not os.environ.get("OPENAI_API_KEY"):
        chosen["api_key"] = _PLACEHOLDER  # servers at home ask for none, the SDK does
    client: openai.AsyncOpenAI = _made(
        openai.AsyncOpenAI, chosen, "set OPENAI_API_KEY, or pass api_key"
    )
    return client


def azure_client(arguments: Mapping[str, Any]) -> openai.AsyncAzureOpenAI:
    """Make the SDK's client for Azure.

    Raises:
        ClientSetupError: There is no key, address or version, or the SDK refuses an argument.
    """
    chosen = {name: arguments[name] for name in _OF_AZURE if arguments.get(name) is not None}
    advice = (
        "set AZURE_OPENAI_API_KEY, AZURE_OPENAI_ENDPOINT and OPENAI_API_VERSION, or pass api_key, "
        "azure_endpoint and api_version"
    )
    client: openai.AsyncAzureOpenAI = _made(openai.AsyncAzureOpenAI, chosen, advice)
    return client


def sdk_arguments() -> frozenset[str]:
    """Name the arguments of a client that the SDK takes, and no service is sent."""
    return frozenset((*_OF_OPENAI, *_OF_AZURE))


def _made(kind: Any, chosen: dict[str, Any], advice: str) -> Any:
    try:
        return kind(**chosen)
    except (openai.OpenAIError, ValueError, TypeError) as error:
        # The SDK's words may hold what it was given, a key among it.
        raise ClientSetupError(
            f"the openai package cannot make a client ({type(error).__name__}): {advice}"
        ) from None
