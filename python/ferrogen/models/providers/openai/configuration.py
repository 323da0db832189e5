"""Arguments of the clients, typed, and their component configs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, SecretStr
from typing_extensions import Required, TypedDict

from ferrogen.components.model import ComponentModel
from ferrogen.models.model_info import ModelInfo
from ferrogen.models.usage import UsageLedger


class RequestArguments(TypedDict, total=False):
    """Arguments of the chat API, which every request of a client is sent with."""

    audio: dict[str, Any]
    extra_body: Mapping[str, Any]
    extra_headers: Mapping[str, str]
    extra_query: Mapping[str, object]
    frequency_penalty: float | None
    logit_bias: dict[str, int] | None
    logprobs: bool | None
    max_completion_tokens: int | None
    max_tokens: int | None
    metadata: dict[str, str] | None
    modalities: list[Literal["text", "audio"]] | None
    parallel_tool_calls: bool | None
    prediction: dict[str, Any] | None
    presence_penalty: float | None
    prompt_cache_key: str | None
    prompt_cache_retention: str | None
    reasoning_effort: str | None
    response_format: Mapping[str, Any] | type[BaseModel] | None
    safety_identifier: str | None
    seed: int | None
    service_tier: str | None
    stop: str | Sequence[str] | None
    store: bool | None
    stream_options: Mapping[str, Any] | None
    temperature: float | None
    tool_choice: str | Mapping[str, Any] | None
    tools: Sequence[Mapping[str, Any]] | None
    top_logprobs: int | None
    top_p: float | None
    user: str | None
    verbosity: str | None
    web_search_options: dict[str, Any] | None


class ConnectionArguments(TypedDict, total=False):
    """The arguments that all clients on OpenAI's SDK have."""

    model: Required[str]
    api_key: str | SecretStr | Callable[[], Awaitable[str]] | None
    organization: str | None
    project: str | None
    timeout: float | None
    max_retries: int | None
    default_headers: Mapping[str, str | SecretStr] | None
    default_query: Mapping[str, object] | None
    http_client: Any
    model_info: ModelInfo | None
    model_capabilities: Mapping[str, bool] | None
    ledger: UsageLedger | None


class ClientArguments(RequestArguments, ConnectionArguments, total=False):
    """The arguments that the clients for the chat API have."""

    add_name_prefixes: bool | None
    include_name_in_message: bool | None


class OpenAIClientConfiguration(ClientArguments, total=False):
    """The arguments of `OpenAIChatCompletionClient`, which describes them.

    Example:
        ```python
        from ferrogen.models.openai import OpenAIChatCompletionClient, OpenAIClientConfiguration

        local: OpenAIClientConfiguration = {
            "model": "qwen3:8b",
            "base_url": "http://localhost:11434/v1",
        }
        client = OpenAIChatCompletionClient(**local)
        ```
    """

    base_url: str | None


class AzureOpenAIClientConfiguration(ClientArguments, total=False):
    """The arguments of `AzureOpenAIChatCompletionClient`, which describes them.

    Example:
        ```python
        from ferrogen.models.openai import AzureOpenAIClientConfiguration

        ours: AzureOpenAIClientConfiguration = {"model": "gpt-4o", "azure_deployment": "our-gpt"}
        ```
    """

    azure_endpoint: str | None
    azure_deployment: str | None
    api_version: str | None
    azure_ad_token: str | SecretStr | None
    azure_ad_token_provider: Callable[[], str | Awaitable[str]] | None


class OpenAIResponsesClientConfiguration(ConnectionArguments, total=False):
    """The arguments of `OpenAIResponsesClient`, which describes them.

    Example:
        ```python
        from ferrogen.models.openai import OpenAIResponsesClientConfiguration

        brief: OpenAIResponsesClientConfiguration = {"model": "gpt-5", "max_output_tokens": 100}
        ```
    """

    base_url: str | None
    extra_body: Mapping[str, Any]
    extra_headers: Mapping[str, str]
    extra_query: Mapping[str, object]
    include: Sequence[str]
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: dict[str, str] | None
    parallel_tool_calls: bool | None
    previous_response_id: str | None
    prompt_cache_key: str | None
    reasoning: Mapping[str, Any] | None
    safety_identifier: str | None
    service_tier: str | None
    store: bool | None
    temperature: float | None
    text: Mapping[str, Any] | None
    tools: Sequence[Mapping[str, Any]]
    top_logprobs: int | None
    top_p: float | None
    truncation: str | None
    user: str | None


class BaseOpenAIClientConfigurationConfigModel(BaseModel):
    """The config of a client; arguments of the API are kept as they are."""

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
