"""Clients for OpenAI's models, on OpenAI, on Azure, and on all services that speak its chat API."""

from ferrogen.models.openai.azure import AzureOpenAIChatCompletionClient
from ferrogen.models.openai.configuration import (
    AzureOpenAIClientConfigurationConfigModel,
    OpenAIClientConfigurationConfigModel,
)
from ferrogen.models.openai.hosted import OpenAIChatCompletionClient

__all__ = [
    "AzureOpenAIChatCompletionClient",
    "AzureOpenAIClientConfigurationConfigModel",
    "OpenAIChatCompletionClient",
    "OpenAIClientConfigurationConfigModel",
]
