"""Clients for OpenAI's models, on OpenAI, on Azure, and on all services that speak its chat API."""

from ferrogen.models.providers.openai.client import (
    AzureOpenAIChatCompletionClient,
    OpenAIChatCompletionClient,
)
from ferrogen.models.providers.openai.configuration import (
    AzureOpenAIClientConfiguration,
    AzureOpenAIClientConfigurationConfigModel,
    OpenAIClientConfiguration,
    OpenAIClientConfigurationConfigModel,
    OpenAIResponsesClientConfiguration,
)
from ferrogen.models.providers.openai.responses import OpenAIResponsesClient

__all__ = [
    "AzureOpenAIChatCompletionClient",
    "AzureOpenAIClientConfiguration",
    "AzureOpenAIClientConfigurationConfigModel",
    "OpenAIChatCompletionClient",
    "OpenAIClientConfiguration",
    "OpenAIClientConfigurationConfigModel",
    "OpenAIResponsesClient",
    "OpenAIResponsesClientConfiguration",
]
