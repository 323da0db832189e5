"""Public path of the client for Ollama's own API."""

from ferrogen.models.providers.ollama import (
    OllamaChatCompletionClient,
    OllamaClientConfiguration,
    OllamaClientConfigurationConfigModel,
)

__all__ = [
    "OllamaChatCompletionClient",
    "OllamaClientConfiguration",
    "OllamaClientConfigurationConfigModel",
]
