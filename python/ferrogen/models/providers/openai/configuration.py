"""Component configs of the clients."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr

from ferrogen.components.model import ComponentModel
from ferrogen.models.model_info import ModelInfo


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
