"""Public path of the client for Anthropic's API."""

from ferrogen.models._former_paths import keep_former_paths
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

keep_former_paths(__name__, "ferrogen.models.providers.anthropic")
