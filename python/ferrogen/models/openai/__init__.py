"""Public path of the clients for OpenAI's APIs, on OpenAI, on Azure and on compatible services."""

from ferrogen.models._former_paths import keep_former_paths
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

keep_former_paths(
    __name__,
    "ferrogen.models.providers.openai",
    {
        "hosted": "ferrogen.models.providers.openai.client",
        "reasoning": "ferrogen.models.providers.chat_completions.reasoning",
        "tool_calls": "ferrogen.models.providers.chat_completions.tool_calls",
        "tools": "ferrogen.models.providers.chat_completions.tools",
    },
)
