"""Public path of the clients for OpenAI's APIs, on OpenAI, on Azure and on compatible services."""

from ferrogen.models.providers.openai import (
    AzureOpenAIChatCompletionClient,
    AzureOpenAIClientConfiguration,
    AzureOpenAIClientConfigurationConfigModel,
    OpenAIChatCompletionClient,
    OpenAIClientConfiguration,
    OpenAIClientConfigurationConfigModel,
    OpenAIResponsesClient,
    OpenAIResponsesClientConfiguration,
)

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
