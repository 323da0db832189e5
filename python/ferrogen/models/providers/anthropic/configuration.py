"""Arguments and component config of the client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, SecretStr
from typing_extensions import Required, TypedDict

from ferrogen.models.model_info import ModelInfo
from ferrogen.models.providers.anthropic.prompt_cache import PromptCache
from ferrogen.models.usage import UsageLedger

DEFAULT_MAX_TOKENS = 4096
"""The default length of responses; the API requires one."""


class ThinkingConfig(TypedDict, total=False):
    """Whether the model thinks before it responds, and for how many tokens.

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
        client = AnthropicChatCompletionClient(**arguments)
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
    default_headers: Mapping[str, str | SecretStr] | None
    http_client: Any
    ledger: UsageLedger | None
    model_info: ModelInfo | None
    model_capabilities: Mapping[str, bool] | None


class AnthropicClientConfigurationConfigModel(BaseModel):
    """The same as it is written into a component's config; keys are hidden in JSON.

    Example:
        ```python
        from pydantic import SecretStr

        from ferrogen.models.anthropic import AnthropicClientConfigurationConfigModel

        config = AnthropicClientConfigurationConfigModel(
            model="claude-sonnet-4-5", api_key=SecretStr("secret")
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
