"""Clients for OpenAI's models, on OpenAI, on Azure, and on all services that speak its chat API."""

from ferrogen.models.providers.openai.arguments import (
    AzureOpenAIClientConfiguration,
    OpenAIClientConfiguration,
    OpenAIResponsesClientConfiguration,
)
from ferrogen.models.providers.openai.azure import AzureOpenAIChatCompletionClient
from ferrogen.models.providers.openai.configuration import (
    AzureOpenAIClientConfigurationConfigModel,
    OpenAIClientConfigurationConfigModel,
)
from ferrogen.models.providers.openai.hosted import OpenAIChatCompletionClient
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
