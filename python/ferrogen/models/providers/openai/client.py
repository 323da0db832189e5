"""Model clients for OpenAI's chat API: at OpenAI, at services with the same API, and on Azure."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, ClassVar

from typing_extensions import Self, Unpack

from ferrogen._core import CancellationToken
from ferrogen.components.component import Component
from ferrogen.models.client import ToolChoice
from ferrogen.models.messages import LLMMessage
from ferrogen.models.providers._call import Call, ModelRequest
from ferrogen.models.providers._client import ProviderClient
from ferrogen.models.providers._config import checked_arguments, stated_abilities, writable
from ferrogen.models.providers._connections import Connections, SdkConnection
from ferrogen.models.providers._errors import Failures
from ferrogen.models.providers._secrets import disclosed, given_secrets, loaded, protected
from ferrogen.models.providers._structured import JsonOutput, check_json_output
from ferrogen.models.providers._tool_calls import ProviderData
from ferrogen.models.providers.chat_completions.response import ChatResponse
from ferrogen.models.providers.openai import request as requests
from ferrogen.models.providers.openai.configuration import (
    AzureOpenAIClientConfiguration,
    AzureOpenAIClientConfigurationConfigModel,
    OpenAIClientConfiguration,
    OpenAIClientConfigurationConfigModel,
)
from ferrogen.models.providers.openai.conversation import Conversation
from ferrogen.models.providers.openai.sdk import openai
from ferrogen.models.providers.openai.services import azure_client, openai_client, sdk_arguments
from ferrogen.models.results import CreateResult
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema

_OF_FERROGEN = frozenset(
    ("model_info", "model_capabilities", "add_name_prefixes", "include_name_in_message", "ledger")
)


class OpenAIClient(ProviderClient):
    """Base class of the clients that use OpenAI's SDK.

    Args:
        arguments: The arguments of the client.
    """

    _provider = "openai"
    _known: ClassVar[frozenset[str]]
    """The names of the arguments."""
    _of_requests: ClassVar[frozenset[str]] = requests.REQUEST_ARGUMENTS
    """The names of those that are sent with requests."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        known = self._known | self._of_requests
        given = checked_arguments(type(self).__name__, arguments, known, requests.ADVICE)
        sent = given.keys() - sdk_arguments() - _OF_FERROGEN
        self._fixed = {name: value for name, value in given.items() if name in sent}
        requests.refuse_arguments(self._fixed)
        ledger = given.pop("ledger", None)
        info = stated_abilities(given["model"], given, deprecated=True)
        wanted = given.get("response_format")
        if isinstance(wanted, dict) and wanted.get("type") == "json_object":
            check_json_output(info)
        self._arguments = protected(given)
        clear = disclosed(self._arguments)
        self._client = self._make_client(clear)
        key = self._client.api_key  # of the environment, if it is none of the arguments
        self._host = self._client.base_url.host
        secrets = [str(secret.get_secret_value()) for secret in given_secrets(self._arguments)]
        secrets.append(str(key or ""))
        clients = [self._client]  # the one of the first event loop

        def connection() -> SdkConnection:
            client = clients.pop() if clients else self._make_client(disclosed(self._arguments))
            return SdkConnection(client, openai.AsyncStream)

        super().__init__(
            self._arguments,
            info,
            Connections(connection, shared="http_client" in given),
            Failures(f"the service of {given['model']}", secrets, openai),
            ledger,
        )

    @staticmethod
    @abstractmethod
    def _make_client(arguments: Mapping[str, Any]) -> openai.AsyncOpenAI:
        """Make a client of the SDK."""

    def __repr__(self) -> str:
        # An address may have a password, which its own representation hides.
        return f"{type(self).__name__}(model={self._model!r}, base_url={self._client.base_url!r})"


class ChatApiClient(OpenAIClient):
    """Base class of the clients for services with OpenAI's chat API.

    Args:
        arguments: The arguments of the client.
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__(arguments)
        self._data = ProviderData(f"openai:{self._host}")
        self._warned: set[str] = set()
        self._conversation = Conversation(
            self._model_info,
            self._data,
            self._model,
            bool(arguments.get("add_name_prefixes") or False),
            arguments.get("include_name_in_message") is not False,
        )

    def _call(self, request: ModelRequest) -> Call:
        written = requests.wire_request(self._fixed, self._conversation, request)
        if request.stream:
            written = requests.streamed(written, request.include_usage)
        reader = ChatResponse(
            self._model_info["family"], written.names, self._failures, self._data, self._warned
        )
        return Call("/chat/completions", written.body, reader, written.options, written.wrapper)

    async def create_stream(
        self,
        messages: Sequence[LLMMessage],
        *,
        tools: Sequence[Tool | ToolSchema] = (),
        tool_choice: ToolChoice = "auto",
        json_output: JsonOutput = None,
        extra_create_args: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
        include_usage: bool | None = None,
    ) -> AsyncGenerator[str | CreateResult, None]:
        """Ask the model like `create`, and yield the response in pieces as it is written.

        The arguments and exceptions are those of `create`. The pieces are text, with reasoning
        between ``<think>`` and ``</think>``. The last item is the result as a whole.

        Args:
            messages: The conversation so far.
            tools: The tools that the model may call.
            tool_choice: Which tool it has to call.
            json_output: The required form of the response.
            extra_create_args: Further arguments of the service.
            cancellation_token: Closes the connection when it is cancelled.
            include_usage: Whether the service is asked to report the usage at the end, as it is
                by default. If it does not report it, tokens are estimated.
        """
        request = ModelRequest(
            messages,
            tools,
            tool_choice,
            json_output,
            extra_create_args or {},
            stream=True,
            include_usage=include_usage,
        )
        async with self._streaming(request, cancellation_token) as items:
            async for item in items:
                yield item


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


class AzureOpenAIChatCompletionClient(
    ChatApiClient, Component[AzureOpenAIClientConfigurationConfigModel]
):
    """A client for OpenAI's models as Azure serves them.

    Args:
        model: The model behind the deployment.
        azure_endpoint: Where the service is; by default ``AZURE_OPENAI_ENDPOINT``.
        azure_deployment: The deployment; by default it is called like the model.
        api_version: The version of the API; by default ``OPENAI_API_VERSION``.
        api_key: The key; by default ``AZURE_OPENAI_API_KEY``. It is never written into configs,
            logs or errors.
        azure_ad_token: A token in place of a key; by default ``AZURE_OPENAI_AD_TOKEN``.
        azure_ad_token_provider: A function that gives such a token, or a coroutine of one.
        **arguments: As of `OpenAIChatCompletionClient`.

    Raises:
        ClientSetupError: There is no key, address or version, or arguments contradict each other.
        UnknownArgumentError: There is no such argument; also a `TypeError`.

    Example:
        ```python
        from ferrogen.models.openai import AzureOpenAIChatCompletionClient

        client = AzureOpenAIChatCompletionClient(
            model="gpt-4o",
            azure_endpoint="https://example.openai.azure.com",
            azure_deployment="our-gpt-4o",
            api_version="2024-10-21",
            api_key="from a vault, not from the source",
        )
        assert "vault" not in repr(client)
        ```
    """

    component_type = "model"
    component_config_schema = AzureOpenAIClientConfigurationConfigModel
    component_provider_override = "ferrogen.models.openai.AzureOpenAIChatCompletionClient"

    _provider = "azure.ai.openai"
    _known = frozenset(AzureOpenAIClientConfiguration.__annotations__)
    _make_client = staticmethod(azure_client)

    def __init__(self, **arguments: Unpack[AzureOpenAIClientConfiguration]) -> None:
        super().__init__(arguments)

    def _to_config(self) -> AzureOpenAIClientConfigurationConfigModel:
        return AzureOpenAIClientConfigurationConfigModel.model_validate(writable(self._arguments))

    @classmethod
    def _from_config(cls, config: AzureOpenAIClientConfigurationConfigModel) -> Self:
        return cls(**loaded(dict(config)))
