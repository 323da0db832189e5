"""Arguments and component config of the client, without keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr

from ferrogen._components.model import ComponentModel
from ferrogen._components.secrets import MASK, EnvironmentSecret
from ferrogen.exceptions import ClientSetupError
from ferrogen.models.model_info import ModelInfo

_SHORTEST_SECRET = 8
_SECRET_HEADER = re.compile(r"auth|key|token|secret|cookie", re.IGNORECASE)


class BaseOpenAIClientConfigurationConfigModel(BaseModel):
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


class OpenAIClientConfigurationConfigModel(BaseOpenAIClientConfigurationConfigModel):
    """The config of an `OpenAIChatCompletionClient`."""

    base_url: str | None = None


class AzureOpenAIClientConfigurationConfigModel(BaseOpenAIClientConfigurationConfigModel):
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


def argument_values(config: BaseModel) -> dict[str, Any]:
    """Read the arguments of a client from its config.

    A secret that went through JSON is only a mask. It is left out, so that the key comes from
    where the SDK looks for one: the environment.
    """
    values = {name: value for name, value in dict(config).items() if _is_given(value)}
    if "default_headers" in values:
        headers = values["default_headers"]
        values["default_headers"] = {n: value for n, value in headers.items() if _is_given(value)}
    return values


def in_the_clear(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Give the arguments with the texts of their secrets, for the SDK alone.

    Raises:
        SecretError: The environment variable of one is not set.
    """
    clear = {name: _text(value) for name, value in arguments.items()}
    if headers := arguments.get("default_headers"):
        clear["default_headers"] = {name: _text(value) for name, value in headers.items()}
    return clear


def secrets_of(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the texts among revealed arguments that must not be shown to anybody.

    What people write for servers that ask for no key, such as ``none``, is no secret, and would
    be taken out of the middle of words.
    """
    texts = (text for text in _secret_values(arguments) if isinstance(text, str))
    return tuple(text for text in texts if len(text) >= _SHORTEST_SECRET)


def holds_secrets(arguments: Mapping[str, Any]) -> bool:
    """Tell whether there are secrets among the arguments, other than by reference."""
    values = [value for value in _secret_values(arguments) if value]
    return any(not isinstance(value, EnvironmentSecret) for value in values)


def _secret_values(arguments: Mapping[str, Any]) -> list[Any]:
    headers = arguments.get("default_headers") or {}
    named = [value for name, value in headers.items() if _SECRET_HEADER.search(name)]
    return [arguments.get("api_key"), arguments.get("azure_ad_token"), *named]


def _text(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _is_given(value: Any) -> bool:
    if isinstance(value, SecretStr) and not isinstance(value, EnvironmentSecret):
        return value.get_secret_value() != MASK
    return value is not None
