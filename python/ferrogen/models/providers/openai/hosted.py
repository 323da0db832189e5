"""The client for OpenAI, and for every service with its chat API."""

from __future__ import annotations

from typing_extensions import Self, Unpack

from ferrogen.components.component import Component
from ferrogen.models.providers._config import writable
from ferrogen.models.providers._secrets import loaded
from ferrogen.models.providers.openai.arguments import OpenAIClientConfiguration
from ferrogen.models.providers.openai.client import ChatApiClient
from ferrogen.models.providers.openai.configuration import OpenAIClientConfigurationConfigModel
from ferrogen.models.providers.openai.services import openai_client


class OpenAIChatCompletionClient(ChatApiClient, Component[OpenAIClientConfigurationConfigModel]):
    """A client for OpenAI's models, and for all that are served by its chat API.

    vLLM, Ollama, llama.cpp, LM Studio and gateways are reached by ``base_url``. The arguments are
    those of autogen-ext's client of this name.

    Args:
        model: The model, as the service calls it.
        api_key: The key, as text or as a `ferrogen.components.EnvironmentSecret`; by default the
            environment variable ``OPENAI_API_KEY``. It is never written into configs, logs or
            errors.
        base_url: Where the service is; by default ``OPENAI_BASE_URL``, or else OpenAI.
        model_info: The abilities of the model; by default those in the registry.
        max_retries: How often the SDK asks again after a failure, by default twice. Say 0 under a
            `Retrying` client, so that failures are not counted twice.
        ledger: Where usage is recorded, if several clients are to share one.
        **arguments: ``organization``, ``project``, ``timeout`` in seconds, ``default_headers``,
            ``default_query`` and ``http_client`` of the SDK; ``add_name_prefixes`` and
            ``include_name_in_message``; and any argument of the chat API, such as ``temperature``
            or ``seed``, that every request is to have.

    Raises:
        ClientSetupError: There is no key, or arguments contradict each other.
        UnknownArgumentError: There is no such argument; also a `TypeError`.

    Example:
        ```python
        import asyncio

        from ferrogen.models import UserMessage
        from ferrogen.models.openai import OpenAIChatCompletionClient


        async def ask(question: str) -> str:
            async with OpenAIChatCompletionClient(model="gpt-4o-mini", temperature=0) as client:
                result = await client.create([UserMessage(content=question, source="me")])
            return str(result.content)


        local = OpenAIChatCompletionClient(model="qwen3:8b", base_url="http://localhost:11434/v1")
        assert local.model_info["function_calling"]
        ```
    """

    component_type = "model"
    component_config_schema = OpenAIClientConfigurationConfigModel
    component_provider_override = "ferrogen.models.openai.OpenAIChatCompletionClient"

    _make_client = staticmethod(openai_client)

    _known = frozenset(OpenAIClientConfiguration.__annotations__)

    def __init__(self, **arguments: Unpack[OpenAIClientConfiguration]) -> None:
        super().__init__(arguments)

    def _to_config(self) -> OpenAIClientConfigurationConfigModel:
        return OpenAIClientConfigurationConfigModel.model_validate(writable(self._arguments))

    @classmethod
    def _from_config(cls, config: OpenAIClientConfigurationConfigModel) -> Self:
        return cls(**loaded(dict(config)))
