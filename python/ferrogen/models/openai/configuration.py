"""The configuration owns how the arguments of a client are written, and keys are not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr

from ferrogen._components.model import ComponentModel
from ferrogen.exceptions import ClientSetupError
from ferrogen.models.model_info import ModelInfo

_MASK = "**********"  # what pydantic writes into JSON in the place of a secret
_SECRET_HEADER = re.compile(r"auth|key|token|secret|cookie", re.IGNORECASE)


class ClientConfiguration(BaseModel):
    """The config of a client; what goes to the service with each request is kept as it is."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    model: str
    api_key: SecretStr | None = None
    organization: str | None = None
    project: str | None = None
    timeout: float | None = None
    max_retries: int | None = None
    default_headers: dict[str, str | SecretStr] | None = None
    default_query: dict[str, Any] | None = None
    model_info: ModelInfo | None = None
    model_capabilities: dict[str, bool] | None = None
    add_name_prefixes: bool | None = None
    include_name_in_message: bool | None = None


class OpenAIClientConfiguration(ClientConfiguration):
    """The config of an `OpenAIChatCompletionClient`."""

    base_url: str | None = None


class AzureOpenAIClientConfiguration(ClientConfiguration):
    """The config of an `AzureOpenAIChatCompletionClient`."""

    azure_endpoint: str | None = None
    azure_deployment: str | None = None
    api_version: str | None = None
    azure_ad_token: SecretStr | None = None
    azure_ad_token_provider: ComponentModel | None = None


def config_values(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Give the arguments of a client as they are written; headers that look like keys are secrets.

    Raises:
        ClientSetupError: One of them cannot be written.
    """
    for name in ("api_key", "azure_ad_token_provider", "http_client"):
        if callable(arguments.get(name)) or (name == "http_client" and name in arguments):
            raise ClientSetupError(
                f"a client that was given {name} cannot be dumped: only values can be written down"
            )
    headers = arguments.get("default_headers") or {}
    secret = {
        name: SecretStr(value) if isinstance(value, str) and _SECRET_HEADER.search(name) else value
        for name, value in headers.items()
    }
    return {**arguments, **({"default_headers": secret} if secret else {})}


def argument_values(config: ClientConfiguration) -> dict[str, Any]:
    """Read the arguments of a client from its config.

    A secret that went through JSON is only a mask. It is left out, so that the key comes from
    where the SDK looks for one: the environment.
    """
    return in_the_clear(config.model_dump(exclude_none=True))


def in_the_clear(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Give the arguments of a client with the values of their secrets, as the SDK wants them."""
    clear = _revealed(arguments)
    if clear.get("default_headers"):
        clear["default_headers"] = _revealed(clear["default_headers"])
    return clear


def secrets_of(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the texts among the arguments that must not be shown to anybody."""
    headers = arguments.get("default_headers") or {}
    texts = [arguments.get("api_key"), arguments.get("azure_ad_token")]
    texts += [value for name, value in headers.items() if _SECRET_HEADER.search(name)]
    return tuple(text for text in texts if isinstance(text, str) and text)


def _revealed(values: Mapping[str, Any]) -> dict[str, Any]:
    clear = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in values.items()
    }
    return {name: value for name, value in clear.items() if value != _MASK}
