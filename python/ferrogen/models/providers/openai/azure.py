"""The client for OpenAI's models on Azure."""

from __future__ import annotations

from typing_extensions import Self, Unpack

from ferrogen.components.component import Component
from ferrogen.models.providers._config import writable
from ferrogen.models.providers._secrets import loaded
from ferrogen.models.providers.openai.arguments import AzureOpenAIClientConfiguration
from ferrogen.models.providers.openai.client import ChatApiClient
from ferrogen.models.providers.openai.configuration import (
    AzureOpenAIClientConfigurationConfigModel as ConfigModel,
)
from ferrogen.models.providers.openai.services import azure_client


class AzureOpenAIChatCompletionClient(ChatApiClient, Component[ConfigModel]):
    """A client for OpenAI's models as Azure serves them.

    Args:
        model: The model behind the deployment.
        azure_endpoint: Where the service is; by default ``AZURE_OPENAI_ENDPOINT``.
        azure_deployment: The deployment; by default it is called like the model.
        api_version: The version of the API; by default ``OPENAI_API_VERSION``.
        api_key: The key; by default ``AZURE_OPENAI_API_KEY``. It is never written into configs,
            logs or errors.
        azure_ad_token: A token in place of a key; by default ``AZURE_OPENAI_AD_TOKEN``.
        azure_ad_token_provider: A function that gives such a token, or a coroutine of one.
        **arguments: As of `OpenAIChatCompletionClient`.

    Raises:
        ClientSetupError: There is no key, address or version, or arguments contradict each other.
        UnknownArgumentError: There is no such argument; also a `TypeError`.

    Example:
        ```python
        from ferrogen.models.openai import AzureOpenAIChatCompletionClient

        client = AzureOpenAIChatCompletionClient(
            model="gpt-4o",
            azure_endpoint="https://example.openai.azure.com",
            azure_deployment="our-gpt-4o",
            api_version="2024-10-21",
            api_key="from a vault, not from the source",
        )
        assert "vault" not in repr(client)
        ```
    """

    component_type = "model"
    component_config_schema = ConfigModel
    component_provider_override = "ferrogen.models.openai.AzureOpenAIChatCompletionClient"

    _provider = "azure.ai.openai"
    _known = frozenset(AzureOpenAIClientConfiguration.__annotations__)
    _make_client = staticmethod(azure_client)

    def __init__(self, **arguments: Unpack[AzureOpenAIClientConfiguration]) -> None:
        super().__init__(arguments)

    def _to_config(self) -> ConfigModel:
        return ConfigModel.model_validate(writable(self._arguments))

    @classmethod
    def _from_config(cls, config: ConfigModel) -> Self:
        return cls(**loaded(dict(config)))
