"""Model client for OpenAI's chat API."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from typing import Any, ClassVar

from ferrogen._core import CancellationToken
from ferrogen.exceptions import ClientSetupError, ModelInfoError, ModelResponseError
from ferrogen.models.chat_span import chat_span
from ferrogen.models.client import ChatCompletionClient
from ferrogen.models.messages import LLMMessage
from ferrogen.models.model_info import ModelCapabilities, ModelInfo
from ferrogen.models.openai.abilities import told_abilities
from ferrogen.models.openai.assembly import Assembly
from ferrogen.models.openai.chunks import Chunk, read_chunk
from ferrogen.models.openai.configuration import holds_secrets, in_the_clear, secrets_of
from ferrogen.models.openai.conversation import Conversation
from ferrogen.models.openai.event_log import log_call, log_stream_end, log_stream_start
from ferrogen.models.openai.failures import failure_in_body
from ferrogen.models.openai.request import (
    JsonOutput,
    ToolChoice,
    WireRequest,
    checked_arguments,
    streamed,
    wire_request,
)
from ferrogen.models.openai.sdk import openai
from ferrogen.models.openai.services import sdk_arguments
from ferrogen.models.openai.transport import Exchange, events_of, exchange
from ferrogen.models.registry import known_model
from ferrogen.models.results import CreateResult
from ferrogen.models.tokens import count_text, count_tokens
from ferrogen.models.usage import DetailedUsage, UsageLedger
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema

_NOT_SENT = sdk_arguments() | {
    *("model_info", "model_capabilities", "add_name_prefixes", "include_name_in_message", "ledger"),
}


class ChatApiClient(ChatCompletionClient):
    """What the clients of all services have in common that speak OpenAI's chat API.

    Args:
        arguments: The arguments of the client, as its user gave them.
    """

    _provider: ClassVar[str] = "openai"

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        if not isinstance(arguments.get("model"), str):
            raise ClientSetupError(f"model is required for {type(self).__name__}")
        self._arguments = {name: value for name, value in arguments.items() if name != "ledger"}
        sent = {name: value for name, value in arguments.items() if name not in _NOT_SENT}
        self._fixed = checked_arguments(sent)
        self._model: str = arguments["model"]
        self._entry = known_model(self._model)
        self._model_info = told_abilities(self._model, arguments)
        self._conversation = Conversation(
            self._model_info,
            bool(arguments.get("add_name_prefixes", False)),
            bool(arguments.get("include_name_in_message", True)),
        )
        self._ledger: UsageLedger = arguments.get("ledger") or UsageLedger()
        clear = in_the_clear(arguments)
        self._client = self._make_client(clear)
        key = self._client.api_key  # of the environment, if it is none of the arguments
        self._secrets = secrets_of({**clear, "api_key": clear.get("api_key") or key})

    @staticmethod
    @abstractmethod
    def _make_client(arguments: Mapping[str, Any]) -> openai.AsyncOpenAI:
        """Make the SDK's client."""

    async def create(
        self,
        messages: Sequence[LLMMessage],
        *,
        tools: Sequence[Tool | ToolSchema] = (),
        tool_choice: ToolChoice = "auto",
        json_output: JsonOutput = None,
        extra_create_args: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
    ) -> CreateResult:
        """Ask the model once, and wait for the whole answer.

        Args:
            messages: The conversation so far, the oldest message first.
            tools: What the model may ask to have run.
            tool_choice: A tool that it has to call, or whether it may call any (``"auto"``), has
                to call one (``"required"``) or must not (``"none"``).
            json_output: A model class or a JSON Schema that the answer has to fit; ``True`` for
                JSON of whatever shape, ``False`` for text.
            extra_create_args: Arguments for the service, such as ``temperature`` and ``seed``.
                What only some services know goes into ``extra_body``.
            cancellation_token: Closes the connection when it is cancelled.

        Returns:
            The answer. If the model refused, its words, with ``content_filter`` as the reason.

        Raises:
            ModelRequestError: Arguments contradict each other, or are not known.
            ModelInfoError: The model cannot do what is asked.
            ModelError: The kinds of it, if there is no answer; also the SDK's own exceptions.
            asyncio.CancelledError: The token was cancelled.
        """
        request = self._request(messages, tools, tool_choice, json_output, extra_create_args)
        assembly = Assembly(self._model_info["family"])
        with chat_span(self._model, self._provider) as span:
            async with self._exchange(request, cancellation_token) as answer:
                self._take(read_chunk(await answer.read_all()), assembly)
            result = assembly.result(self._usage(assembly, messages, tools))
            span.answered(result, assembly.model)
        self._ledger.record(result.usage)
        log_call(request, result)
        return result

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
        """Ask the model like `create`, and yield the answer in pieces as it is written.

        The pieces are text, reasoning between ``<think>`` and ``</think>`` among it. The last
        item is the result as a whole.

        Args:
            messages: The conversation so far, the oldest message first.
            tools: What the model may ask to have run.
            tool_choice: Which tool it has to call.
            json_output: What the answer has to fit.
            extra_create_args: Arguments for the service.
            cancellation_token: Closes the connection when it is cancelled.
            include_usage: Whether the service is asked to tell the usage at the end; it is, if
                nobody says otherwise. If it does not tell, tokens are estimated.

        Yields:
            Pieces, and then the result.

        Raises:
            ModelRequestError: Arguments contradict each other, or are not known.
            ModelInfoError: The model cannot do what is asked.
            ModelError: The kinds of it, if there is no answer; also the SDK's own exceptions.
            asyncio.CancelledError: The token was cancelled.
        """
        request = self._request(messages, tools, tool_choice, json_output, extra_create_args)
        request = streamed(request, include_usage)
        assembly = Assembly(self._model_info["family"])
        try:
            with chat_span(self._model, self._provider) as span:
                async with (
                    self._exchange(request, cancellation_token) as answer,
                    aclosing(events_of(answer)) as events,
                ):
                    log_stream_start(request)
                    async for data in events:
                        for piece in self._take(read_chunk(data), assembly):
                            yield piece
                if assembly.finish_reason is None and not answer.complete:
                    raise ModelResponseError(
                        f"the stream of {self._model} broke off before its end"
                    )
                result = assembly.result(self._usage(assembly, messages, tools))
                span.answered(result, assembly.model)
        finally:
            # What was written before a stream is left or breaks off has its price, too.
            if assembly.begun:
                self._ledger.record(self._usage(assembly, messages, tools))
        log_stream_end(result)
        yield result

    async def close(self) -> None:
        """Close the connections; the client is not used any more."""
        await self._client.close()

    @property
    def ledger(self) -> UsageLedger:
        """What was used, by whom."""
        return self._ledger

    def actual_usage(self) -> DetailedUsage:
        """Return what was used; nothing here comes from a cache of ours."""
        return replace(self._ledger.actual)

    def total_usage(self) -> DetailedUsage:
        """Return what was used."""
        return replace(self._ledger.total)

    def count_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()
    ) -> int:
        """Estimate the tokens of a request, without asking the service; see `models.tokens`."""
        return count_tokens(messages, tools, self._model)

    def remaining_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()
    ) -> int:
        """Estimate how many tokens of the model's context are left.

        Raises:
            ModelInfoError: Nobody knows how long the context of this model is.
        """
        if self._entry is None or self._entry.context_length is None:
            raise ModelInfoError(
                f"the context length of {self._model} is not known; describe the model in a file "
                "for ferrogen.models.registry.register_models, or give your context a token_limit"
            )
        return self._entry.context_length - self.count_tokens(messages, tools=tools)

    @property
    def capabilities(self) -> ModelCapabilities:
        """What the model can do; deprecated for `model_info`."""
        warnings.warn(
            "capabilities is deprecated, use model_info instead", DeprecationWarning, stacklevel=2
        )
        return self._model_info

    @property
    def model_info(self) -> ModelInfo:
        """What the model can do."""
        return self._model_info

    def __repr__(self) -> str:
        # An address may hold a password, which its own representation hides.
        return f"{type(self).__name__}(model={self._model!r}, base_url={self._client.base_url!r})"

    def __reduce__(self) -> Any:
        """Copy and pickle by the arguments; keys are not among them."""
        if holds_secrets(self._arguments):
            raise ClientSetupError(
                "a client that was given its key cannot be pickled or copied: the key would be "
                "written; let it come from the environment, or give it as an EnvironmentSecret"
            )
        return _remade, (type(self), self._arguments)

    def _request(
        self,
        messages: Sequence[LLMMessage],
        tools: Sequence[Tool | ToolSchema],
        tool_choice: ToolChoice,
        json_output: JsonOutput,
        extra: Mapping[str, Any] | None,
    ) -> WireRequest:
        return wire_request(
            self._fixed, self._conversation, messages, tools, tool_choice, json_output, extra or {}
        )

    def _exchange(
        self, request: WireRequest, token: CancellationToken | None
    ) -> AbstractAsyncContextManager[Exchange]:
        return exchange(self._client, request.body, request.options, token, self._secrets)

    def _take(self, chunk: Chunk, assembly: Assembly) -> list[str]:
        if chunk.error:
            raise failure_in_body(self._model, chunk.error)
        return assembly.add(chunk)

    def _usage(
        self,
        assembly: Assembly,
        messages: Sequence[LLMMessage],
        tools: Sequence[Tool | ToolSchema],
    ) -> DetailedUsage:
        """Give what the service told, or else an estimate; with the cost, if there is a price."""
        usage = assembly.usage
        if usage is None or not (usage.prompt_tokens or usage.completion_tokens):
            usage = DetailedUsage(
                self.count_tokens(messages, tools=tools),
                count_text(assembly.text_so_far()),
                estimated=True,
            )
        entry = self._entry or (known_model(assembly.model) if assembly.model else None)
        return usage if entry is None else replace(usage, cost=entry.cost(usage))


def _remade(kind: type[ChatApiClient], arguments: dict[str, Any]) -> ChatApiClient:
    return kind(**arguments)
