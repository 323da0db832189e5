"""Model client for OpenAI's chat API."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, ClassVar

from ferrogen._core import CancellationToken
from ferrogen.models.client import ToolChoice
from ferrogen.models.messages import LLMMessage
from ferrogen.models.providers._abilities import stated_abilities
from ferrogen.models.providers._call import Call, ModelRequest
from ferrogen.models.providers._client import ProviderClient
from ferrogen.models.providers._config import checked_arguments
from ferrogen.models.providers._connections import Connections, SdkConnection
from ferrogen.models.providers._errors import Failures
from ferrogen.models.providers._provider_data import ProviderData
from ferrogen.models.providers._secrets import disclosed, given_secrets, protected
from ferrogen.models.providers._structured import JsonOutput, check_json_output
from ferrogen.models.providers.chat_completions.response import ChatResponse
from ferrogen.models.providers.openai import request as requests
from ferrogen.models.providers.openai.conversation import Conversation
from ferrogen.models.providers.openai.sdk import openai
from ferrogen.models.providers.openai.services import sdk_arguments
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
