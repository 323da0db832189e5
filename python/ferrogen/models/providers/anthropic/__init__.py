"""A client of Anthropic's API, on the official SDK."""

from ferrogen.models.providers.anthropic.client import AnthropicChatCompletionClient
from ferrogen.models.providers.anthropic.configuration import (
    AnthropicClientConfiguration,
    AnthropicClientConfigurationConfigModel,
    ThinkingConfig,
)

__all__ = [
    "AnthropicChatCompletionClient",
    "AnthropicClientConfiguration",
    "AnthropicClientConfigurationConfigModel",
    "ThinkingConfig",
]
