"""Public path of the client for Anthropic's API."""

from ferrogen.models.providers.anthropic import (
    AnthropicChatCompletionClient,
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
