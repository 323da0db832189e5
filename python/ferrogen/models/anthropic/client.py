"""Model client for Anthropic's API."""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, Literal, Optional, Union, cast

from pydantic import BaseModel, SecretStr
from typing_extensions import Self, Unpack

from ferrogen._components.component import Component
from ferrogen._core import CancellationToken
from ferrogen.exceptions import ClientSetupError, ModelInfoError
from ferrogen.models.anthropic.accounting import Account
from ferrogen.models.anthropic.answer import blocks_to_send_back, result_of
from ferrogen.models.anthropic.assembly import Assembly
from ferrogen.models.anthropic.call_log import log_call, log_end, log_start
from ferrogen.models.anthropic.configuration import (
    AnthropicClientConfiguration,
    AnthropicClientConfigurationConfigModel,
    arguments_of,
    checked,
    config_of,
    secrets_of,
)
from ferrogen.models.anthropic.events import Message, read_message
from ferrogen.models.anthropic.failures import Failures
from ferrogen.models.anthropic.request import Request, request_of
from ferrogen.models.anthropic.sdk import anthropic
from ferrogen.models.anthropic.transport import Exchange, exchange
from ferrogen.models.anthropic.turns import Turn, Turns
from ferrogen.models.chat_span import chat_span
from ferrogen.models.client import ChatCompletionClient
from ferrogen.models.messages import LLMMessage
from ferrogen.models.model_info import ModelCapabilities, ModelInfo
from ferrogen.models.registry import known_model, model_info
from ferrogen.models.results import CreateResult
from ferrogen.models.tokens import count_tokens
from ferrogen.models.usage import DetailedUsage, UsageLedger
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema

# ruff: noqa: UP007, UP045 - annotations are those of the surface that it implements

# Arguments that are the SDK's; the others are fields of each request, or describe the model.
_SDK = (
    *("api_key", "auth_token", "base_url", "timeout", "max_retries", "default_headers"),
    "http_client",
)


class AnthropicChatCompletionClient(
    ChatCompletionClient, Component[AnthropicClientConfigurationConfigModel]
):
    """A client of Claude, and of every service that speaks Anthropic's API.

    Needs the SDK: ``pip install "ferrogen[anthropic]"``.

    Args:
        **kwargs: What follows, each by its name.
        model: The model, by the service's name for it.
        api_key: The key; else the SDK finds one, for instance in ``ANTHROPIC_API_KEY``.
        auth_token: A bearer token, in the place of a key.
        base_url: Where the service is, without ``/v1``; else ``ANTHROPIC_BASE_URL``, or
            Anthropic's own.
        max_tokens: How many tokens an answer may have; 4096 if it is not given.
        temperature: How freely tokens are chosen; the service's default if it is not given, and
            so for ``top_p`` and ``top_k``.
        stop_sequences: Texts at which the answer ends.
        thinking: How the model thinks before it answers, as the API has it.
        response_format: What answers look like if ``json_output`` does not say: ``{"type":
            "json_schema", "json_schema": {"schema": ...}}``, or ``{"type": "json_object"}``.
        prompt_cache: How long the service is to remember the beginning of a conversation, which
            makes the next request cheaper: ``"5m"`` or ``"1h"``.
        tools: Tools of the service itself, as the API has them.
        tool_choice: Which tools may be called where a request says ``"auto"``.
        metadata: What is told of the user, as the API has it.
        timeout: Seconds to wait for the service to say something.
        max_retries: How often the SDK repeats a request that failed before an answer began; 2 if
            it is not given.
        default_headers: Further headers of each request.
        http_client: The SDK's HTTP client, such as one with a proxy; no part of a dump.
        ledger: Where usage is summed up, to be shared by clients; its own by default.
        model_info: What the model can do; by default what is known of it by its name.
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

    def __init__(self, **kwargs: Unpack[AnthropicClientConfiguration]) -> None:
        given = checked(kwargs)
        given.pop("ledger", None)
        self._config = config_of(given)
        sdks = {name: _plain(given.pop(name)) for name in _SDK if name in given}
        self._client = anthropic.AsyncAnthropic(**sdks)
        self._model_info: ModelInfo = given.pop("model_info", None) or model_info(given["model"])
        self._arguments = given
        found = [key for key in (self._client.api_key, self._client.auth_token) if key]
        address = str(self._client.base_url).rstrip("/")
        self._failures = Failures(address, [*found, *secrets_of(self._config)])
        self._model = str(given["model"])
        self._turns = Turns()
        self._ledger: UsageLedger = kwargs.get("ledger") or UsageLedger()

    async def create(
        self,
        messages: Sequence[LLMMessage],
        *,
        tools: Sequence[Tool | ToolSchema] = [],
        tool_choice: Tool | Literal["auto", "required", "none"] = "auto",
        json_output: Optional[bool | type[BaseModel]] = None,
        extra_create_args: Mapping[str, Any] = {},
        cancellation_token: Optional[CancellationToken] = None,
    ) -> CreateResult:
        """Ask the model once, and wait for the whole answer.

        Args:
            messages: The conversation so far, the oldest message first.
            tools: What the model may ask to have run.
            tool_choice: A tool that it has to call, or whether it may call any.
            json_output: A model class that the answer has to fit; ``True`` for a JSON object of
                whatever shape, which the messages should then ask for.
            extra_create_args: Further fields of the request, sent as they are.
            cancellation_token: Closes the connection when it is cancelled.

        Raises:
            ModelInfoError: The model is said not to know what is asked of it.
            ModelError: There is no answer, or none that can be read; its kinds say why.
            asyncio.CancelledError: The token was cancelled.
        """
        request = self._request(messages, tools, tool_choice, json_output, extra_create_args)
        with chat_span(self._model, "anthropic") as span:
            async with self._exchange(request, cancellation_token) as answer:
                message = read_message(await answer.read_all())
            account = Account(request.model, messages, tools)
            result = self._conclude(request, message, account)
            span.answered(result, message.model)
        log_call(request, message, result)
        return result

    async def create_stream(
        self,
        messages: Sequence[LLMMessage],
        *,
        tools: Sequence[Tool | ToolSchema] = [],
        tool_choice: Tool | Literal["auto", "required", "none"] = "auto",
        json_output: Optional[bool | type[BaseModel]] = None,
        extra_create_args: Mapping[str, Any] = {},
        cancellation_token: Optional[CancellationToken] = None,
    ) -> AsyncGenerator[Union[str, CreateResult], None]:
        """Ask the model like `create`, and yield the answer in pieces as it is written.

        The pieces are text, also where a tool is called after it; together they are the content
        of an answer in words. Thoughts are not among them. The last item is the result.
        """
        request = self._request(messages, tools, tool_choice, json_output, extra_create_args)
        request.body["stream"] = True
        account = Account(request.model, messages, tools)
        assembly = Assembly(self._failures, request.answer_tool)
        with chat_span(self._model, "anthropic") as span:
            try:
                async with self._exchange(request, cancellation_token) as answer:
                    log_start(request)
                    while not assembly.complete and (piece := await answer.read()) is not None:
                        for text in assembly.feed(piece):
                            yield text
                    message = assembly.finish()
                    result = self._conclude(request, message, account)
                    await answer.drain()
            finally:
                if assembly.usage is not None and not assembly.complete:
                    # What was written before it broke off, or was left, is paid for all the same.
                    self._ledger.record(account.of(assembly.usage, assembly.words, complete=False))
            span.answered(result, message.model)
        log_end(message, result)
        yield result

    async def close(self) -> None:
        """Let go of connections; the client is not used any more."""
        await self._client.close()

    def actual_usage(self) -> DetailedUsage:
        """Return what was used; nothing here comes from a cache of ours."""
        return replace(self._ledger.actual)

    def total_usage(self) -> DetailedUsage:
        """Return what was used."""
        return replace(self._ledger.total)

    @property
    def ledger(self) -> UsageLedger:
        """What was used in all, by each agent, and in each conversation."""
        return self._ledger

    def count_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = []
    ) -> int:
        """Estimate the tokens of messages and tools, without asking the service."""
        return count_tokens(messages, tools, self._model)

    def remaining_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = []
    ) -> int:
        """Estimate how many tokens are left beside these; below zero, they are too many.

        Raises:
            ModelInfoError: Nobody knows how many tokens the model holds.
        """
        entry = known_model(self._model)
        if entry is None or entry.context_length is None:
            raise ModelInfoError(
                f"the context length of {self._model} is not known; describe the model in a file "
                "for ferrogen.models.registry.register_models, or give your context a token_limit"
            )
        return entry.context_length - self.count_tokens(messages, tools=tools)

    @property
    def capabilities(self) -> ModelCapabilities:
        """What the model can do, as it was said before there was `model_info`."""
        warnings.warn(
            "capabilities is deprecated, use model_info instead", DeprecationWarning, stacklevel=2
        )
        return cast("ModelCapabilities", self._model_info)

    @property
    def model_info(self) -> ModelInfo:
        """What the model can do."""
        return self._model_info

    def __repr__(self) -> str:
        return f"{type(self).__name__}(model={self._model!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        if secrets_of(self._config):
            raise ClientSetupError(
                "a client that was given its key cannot be pickled or copied, for the key would "
                "be written; let it come from the environment"
            )
        return _from_config, (type(self), self._config)

    def _to_config(self) -> AnthropicClientConfigurationConfigModel:
        return self._config

    @classmethod
    def _from_config(cls, config: AnthropicClientConfigurationConfigModel) -> Self:
        return cls(**arguments_of(config))

    def _request(
        self,
        messages: Sequence[LLMMessage],
        tools: Sequence[Tool | ToolSchema],
        tool_choice: Tool | Literal["auto", "required", "none"],
        json_output: bool | type[BaseModel] | None,
        extra: Mapping[str, Any],
    ) -> Request:
        arguments = {**self._arguments, **extra}
        return request_of(
            messages, tools, tool_choice, json_output, arguments, self._model_info, self._turns
        )

    def _exchange(
        self, request: Request, token: CancellationToken | None
    ) -> AbstractAsyncContextManager[Exchange]:
        return exchange(self._client, request.body, request.options, token, self._failures)

    def _conclude(self, request: Request, message: Message, account: Account) -> CreateResult:
        """Make the result of an answer, count it, and remember what may be wanted back."""
        result = result_of(message, account, request.answer_tool)
        self._ledger.record(result.usage)
        if not isinstance(result.content, str):
            turn = Turn(blocks_to_send_back(message, request.answer_tool), request.tools)
            self._turns.remember(result.content, turn)
        return result


def _from_config(
    cls: type[AnthropicChatCompletionClient], config: AnthropicClientConfigurationConfigModel
) -> AnthropicChatCompletionClient:
    return cls(**arguments_of(config))


def _plain(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
