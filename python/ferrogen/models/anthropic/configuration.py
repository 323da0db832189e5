"""Arguments and component config of the client."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, SecretStr
from typing_extensions import Required, TypedDict

from ferrogen.exceptions import ClientSetupError
from ferrogen.models.anthropic.prompt_cache import PromptCache
from ferrogen.models.families import ModelFamily
from ferrogen.models.model_info import ModelInfo, validate_model_info
from ferrogen.models.usage import UsageLedger

DEFAULT_MAX_TOKENS = 4096
"""How long an answer may get if nobody says; the API wants to be told."""

_SECRET_HEADER = re.compile(r"auth|key|token|secret|cookie", re.IGNORECASE)
_MASK = "**********"  # what pydantic writes into JSON in the place of a secret


class ThinkingConfig(TypedDict, total=False):
    """Whether the model thinks before it answers, and for how many tokens.

    Example:
        ```python
        from ferrogen.models.anthropic import ThinkingConfig

        thorough = ThinkingConfig(type="enabled", budget_tokens=4096)
        ```
    """

    type: Required[Literal["enabled", "disabled", "adaptive"]]
    budget_tokens: int | None


class AnthropicClientConfiguration(TypedDict, total=False):
    """The arguments of `AnthropicChatCompletionClient`, which describes them.

    Example:
        ```python
        from ferrogen.models.anthropic import (
            AnthropicChatCompletionClient,
            AnthropicClientConfiguration,
        )

        arguments: AnthropicClientConfiguration = {"model": "claude-sonnet-4-5", "max_tokens": 99}
        client = AnthropicChatCompletionClient(**arguments, api_key="secret")
        ```
    """

    model: Required[str]
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    stop_sequences: list[str] | None
    response_format: dict[str, Any] | None
    metadata: dict[str, str] | None
    thinking: ThinkingConfig | None
    tools: list[dict[str, Any]] | None
    tool_choice: Literal["auto", "any", "none"] | dict[str, Any] | None
    prompt_cache: PromptCache | None
    api_key: str | SecretStr | None
    auth_token: str | SecretStr | None
    base_url: str | None
    timeout: float | None
    max_retries: int | None
    default_headers: Mapping[str, str] | None
    http_client: Any
    ledger: UsageLedger | None
    model_info: ModelInfo | None
    model_capabilities: dict[str, bool] | None


class AnthropicClientConfigurationConfigModel(BaseModel):
    """The same as it is written into a component's config; keys are hidden in JSON.

    Example:
        ```python
        from ferrogen.models.anthropic import AnthropicClientConfigurationConfigModel

        config = AnthropicClientConfigurationConfigModel(
            model="claude-sonnet-4-5", api_key="secret"
        )
        assert "secret" not in config.model_dump_json()
        ```
    """

    model: str
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    response_format: dict[str, Any] | None = None
    metadata: dict[str, str] | None = None
    thinking: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Literal["auto", "any", "none"] | dict[str, Any] | None = None
    prompt_cache: PromptCache | None = None
    api_key: SecretStr | None = None
    auth_token: SecretStr | None = None
    base_url: str | None = None
    timeout: float | None = None
    max_retries: int | None = None
    default_headers: dict[str, str | SecretStr] | None = None
    model_info: dict[str, Any] | None = None
    model_capabilities: dict[str, bool] | None = None


def config_of(arguments: Mapping[str, Any]) -> AnthropicClientConfigurationConfigModel:
    """Write the arguments of a client as its config.

    Headers that look like keys are secrets. An HTTP client of the user's has no form as a config.
    """
    headers = {
        name: SecretStr(value) if _SECRET_HEADER.search(name) else value
        for name, value in (arguments.get("default_headers") or {}).items()
    }
    config = {**arguments, "default_headers": headers or None}
    config.pop("http_client", None)
    return AnthropicClientConfigurationConfigModel.model_validate(config)


def checked(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Check the arguments of a client, and leave out those that are None.

    Raises:
        ClientSetupError: There is no such argument, or the model is not named.
        ModelInfoError: What is said of the model lacks something.
    """
    unknown = arguments.keys() - AnthropicClientConfiguration.__annotations__.keys()
    if unknown:
        raise ClientSetupError(
            f"AnthropicChatCompletionClient has no argument {sorted(unknown)[0]!r}; what is to be "
            "sent with a request goes into extra_create_args"
        )
    if not arguments.get("model"):
        raise ClientSetupError("the argument model is required")
    given = {name: value for name, value in arguments.items() if value is not None}
    if "model_capabilities" in given:
        said = {"family": ModelFamily.UNKNOWN, "structured_output": False}
        given.setdefault("model_info", {**said, **given.pop("model_capabilities")})
    if "model_info" in given:
        validate_model_info(given["model_info"])
    return given


def secrets_of(config: AnthropicClientConfigurationConfigModel) -> list[str]:
    """List what a config holds that should not be written down."""
    values = [config.api_key, config.auth_token, *(config.default_headers or {}).values()]
    return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]


def arguments_of(config: AnthropicClientConfigurationConfigModel) -> dict[str, Any]:
    """Read the arguments of a client from its config.

    A secret that went through JSON is only its mask. It is left out, so that the key is found
    where the SDK looks for one.
    """
    arguments = config.model_dump(exclude_none=True)
    arguments["default_headers"] = _revealed(arguments.get("default_headers", {}))
    return _revealed({name: value for name, value in arguments.items() if value != {}})


def _revealed(values: Mapping[str, Any]) -> dict[str, Any]:
    revealed = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in values.items()
    }
    return {name: value for name, value in revealed.items() if value != _MASK}
