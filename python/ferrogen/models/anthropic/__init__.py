"""A client of Anthropic's API, on the official SDK."""

from ferrogen.models.anthropic.client import AnthropicChatCompletionClient
from ferrogen.models.anthropic.configuration import (
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
