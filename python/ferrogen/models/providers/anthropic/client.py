"""Model client for Anthropic's API."""

from __future__ import annotations

from typing_extensions import Self, Unpack

from ferrogen.components.component import Component
from ferrogen.models.providers._call import Call, ModelRequest
from ferrogen.models.providers._client import ProviderClient
from ferrogen.models.providers._config import checked_arguments, stated_abilities, writable
from ferrogen.models.providers._connections import Connections, SdkConnection
from ferrogen.models.providers._errors import Failures
from ferrogen.models.providers._secrets import (
    disclosed,
    given_secrets,
    loaded,
    protected,
)
from ferrogen.models.providers._tool_calls import ProviderData
from ferrogen.models.providers.anthropic.configuration import (
    AnthropicClientConfiguration,
    AnthropicClientConfigurationConfigModel,
)
from ferrogen.models.providers.anthropic.request import request_of
from ferrogen.models.providers.anthropic.response import MessageResponse
from ferrogen.models.providers.anthropic.sdk import anthropic
from ferrogen.models.providers.anthropic.tools import OfferedTools

# Arguments that are the SDK's; the others are fields of each request, or describe the model.
_SDK = (
    *("api_key", "auth_token", "base_url", "timeout", "max_retries", "default_headers"),
    "http_client",
)
_OF_FERROGEN = ("ledger", "model_info", "model_capabilities")


class AnthropicChatCompletionClient(
    ProviderClient, Component[AnthropicClientConfigurationConfigModel]
):
    """A client of Claude, and of every service that speaks Anthropic's API.

    Needs the SDK: ``pip install "ferrogen[anthropic]"``.

    Args:
        **kwargs: The following, each by its name.
        model: The model, by the service's name for it.
        api_key: The key; else the SDK finds one, for instance in ``ANTHROPIC_API_KEY``.
        auth_token: A bearer token, in the place of a key.
        base_url: Where the service is, without ``/v1``; else ``ANTHROPIC_BASE_URL``, or
            Anthropic's own.
        max_tokens: How many tokens a response may have; 4096 if it is not given.
        temperature: How freely tokens are chosen; the service's default if it is not given, and
            so for ``top_p`` and ``top_k``.
        stop_sequences: Texts at which the response ends.
        thinking: How the model thinks before it responds, as the API has it.
        response_format: The form of responses without ``json_output``: ``{"type":
            "json_schema", "json_schema": {"schema": ...}}``, or ``{"type": "json_object"}``.
        prompt_cache: How long the service is to remember the beginning of a conversation, which
            makes the next request cheaper: ``"5m"`` or ``"1h"``.
        tools: Tools of the service itself, as the API has them.
        tool_choice: Which tools may be called where a request says ``"auto"``.
        metadata: Metadata about the user, as the API has it.
        timeout: Seconds to wait for the service to say something.
        max_retries: How often the SDK repeats a request that failed before a response began; 2 if
            it is not given.
        default_headers: Further headers of each request.
        http_client: The SDK's HTTP client, such as one with a proxy; then the client
            cannot be dumped.
        ledger: Where usage is summed up, to be shared by clients; its own by default.
        model_info: The abilities of the model; by default those in the registry.
        model_capabilities: The same as it was said before there was ``model_info``.

    Example:
        ```python
        from ferrogen.models.anthropic import AnthropicChatCompletionClient

        client = AnthropicChatCompletionClient(model="claude-sonnet-4-20250514", api_key="secret")
        assert client.model_info["vision"]
        assert "secret" not in client.dump_component().model_dump_json()
        ```
    """

    __module__ = "ferrogen.models.anthropic"

    component_type = "model"
    component_config_schema = AnthropicClientConfigurationConfigModel

    _provider = "anthropic"

    def __init__(self, **kwargs: Unpack[AnthropicClientConfiguration]) -> None:
        given = checked_arguments(
            type(self).__name__,
            kwargs,
            AnthropicClientConfiguration.__annotations__,
            "further arguments of the service go into extra_create_args of a request",
        )
        ledger = given.pop("ledger", None)
        info = stated_abilities(given["model"], given)
        self._arguments = protected(given)
        self._fixed = {n: v for n, v in given.items() if n not in (*_SDK, *_OF_FERROGEN)}
        self._client = self._make_client()
        found = [key for key in (self._client.api_key, self._client.auth_token) if key]
        secrets = [secret.get_secret_value() for secret in given_secrets(self._arguments)]
        address = str(self._client.base_url).rstrip("/")
        clients = [self._client]  # the one of the first event loop

        def connection() -> SdkConnection:
            client = clients.pop() if clients else self._make_client()
            return SdkConnection(client, anthropic.AsyncStream)

        super().__init__(
            self._arguments,
            info,
            Connections(connection, shared="http_client" in given),
            Failures(f"the model's service at {address}", [*found, *secrets], anthropic),
            ledger,
        )
        self._data = ProviderData(f"anthropic:{self._client.base_url.host}")
        self._offered = OfferedTools()

    def _make_client(self) -> anthropic.AsyncAnthropic:
        clear = disclosed(self._arguments)
        return anthropic.AsyncAnthropic(**{name: clear[name] for name in _SDK if name in clear})

    def _call(self, request: ModelRequest) -> Call:
        written = request_of(
            request.messages,
            request.tools,
            request.tool_choice,
            request.json_output,
            {**self._fixed, **request.extra},
            self._model_info,
            self._data,
            self._offered,
        )
        if request.stream:
            written.body["stream"] = True
        reader = MessageResponse(
            written.names,
            self._failures,
            self._data,
            written.answer_tool,
            on_calls=lambda calls: self._offered.remember(calls, written.tools),
        )
        return Call("/v1/messages", written.body, reader, written.options, written.wrapper)

    def _to_config(self) -> AnthropicClientConfigurationConfigModel:
        return AnthropicClientConfigurationConfigModel.model_validate(writable(self._arguments))

    @classmethod
    def _from_config(cls, config: AnthropicClientConfigurationConfigModel) -> Self:
        return cls(**loaded(dict(config)))
