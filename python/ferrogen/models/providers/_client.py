"""The client that all providers share: requests, streams, usage, logs, spans, life cycle.

A provider adds how a request is written and how a response is read.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
)
from dataclasses import replace
from typing import Any, ClassVar, cast

from ferrogen._core import CancellationToken
from ferrogen.exceptions import ModelInfoError, ModelResponseError
from ferrogen.models.chat_span import chat_span
from ferrogen.models.client import ChatCompletionClient, ToolChoice
from ferrogen.models.messages import LLMMessage
from ferrogen.models.model_info import ModelCapabilities, ModelInfo
from ferrogen.models.providers._call import (
    Call,
    ModelRequest,
    Reader,
    log_call,
    log_stream_end,
    log_stream_start,
)
from ferrogen.models.providers._connections import Connections
from ferrogen.models.providers._errors import Failures
from ferrogen.models.providers._http import Exchange, exchange
from ferrogen.models.providers._secrets import refuse_pickling
from ferrogen.models.providers._structured import JsonOutput, unwrapped
from ferrogen.models.registry import known_model
from ferrogen.models.results import CreateResult
from ferrogen.models.tokens import count_tokens
from ferrogen.models.usage import DetailedUsage, UsageLedger
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema


class ProviderClient(ChatCompletionClient):
    """Base class of the clients of all providers.

    Args:
        arguments: The arguments of the client, its secrets protected.
        model_info: The abilities of the model.
        connections: The connections to the service.
        failures: Types its errors.
        ledger: Where usage is recorded; its own by default.
    """

    _provider: ClassVar[str]
    """The name of the service in spans, as the conventions have it."""

    def __init__(
        self,
        arguments: Mapping[str, Any],
        model_info: ModelInfo,
        connections: Connections,
        failures: Failures,
        ledger: UsageLedger | None,
    ) -> None:
        self._arguments = arguments
        self._model: str = arguments["model"]
        self._model_info = model_info
        self._connections = connections
        self._failures = failures
        self._ledger = ledger or UsageLedger()

    @abstractmethod
    def _call(self, request: ModelRequest) -> Call:
        """Write a request.

        Raises:
            ModelRequestError: Arguments contradict each other, or are not known.
            ModelInfoError: The model lacks an ability that the request needs.
            ToolSchemaError: A tool cannot be described to the service.
        """

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
        """Ask the model once, and wait for the whole response.

        Args:
            messages: The conversation so far, the oldest message first.
            tools: The tools that the model may call.
            tool_choice: A tool that it has to call, or whether it may call any (``"auto"``), has
                to call one (``"required"``) or must not (``"none"``).
            json_output: A model class or a JSON Schema that the response has to fit; ``True`` for
                JSON of any shape, ``False`` for text.
            extra_create_args: Further arguments of the service, such as ``temperature``.
            cancellation_token: Closes the connection when it is cancelled.

        Returns:
            The response. If the model refused, its words, with ``content_filter`` as the reason.

        Raises:
            ModelRequestError: Arguments contradict each other, or are not known.
            ModelInfoError: The model lacks an ability that the request needs.
            ModelError: There is no response; its subclasses say why. If an SDK is used, also the
                SDK's own exceptions.
            asyncio.CancelledError: The token was cancelled.
        """
        request = ModelRequest(
            messages, tools, tool_choice, json_output, extra_create_args or {}, stream=False
        )
        call = self._call(request)
        with chat_span(self._model, self._provider) as span:
            result = None
            async for item in self._respond(request, call, cancellation_token):
                result = item
            if not isinstance(result, CreateResult):
                raise ModelResponseError("the response ended without a result")
            span.record(result, call.reader.model)
        log_call(call.body, result)
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
    ) -> AsyncGenerator[str | CreateResult, None]:
        """Ask the model like `create`, and yield the response in pieces as it is written.

        The arguments and exceptions are those of `create`.

        Yields:
            Pieces of text, and then the result as a whole.
        """
        request = ModelRequest(
            messages, tools, tool_choice, json_output, extra_create_args or {}, stream=True
        )
        async with self._streaming(request, cancellation_token) as items:
            async for item in items:
                yield item

    def _streaming(
        self, request: ModelRequest, token: CancellationToken | None
    ) -> AbstractAsyncContextManager[AsyncGenerator[str | CreateResult, None]]:
        return aclosing(self._streamed(request, self._call(request), token))

    async def _streamed(
        self, request: ModelRequest, call: Call, token: CancellationToken | None
    ) -> AsyncGenerator[str | CreateResult, None]:
        with chat_span(self._model, self._provider) as span:
            response = self._respond(request, call, token)
            async with aclosing(response) as items:
                async for item in items:
                    if isinstance(item, str):
                        yield item
                    else:
                        result = item
            span.record(result, call.reader.model)
        log_stream_end(result)
        yield result

    async def _respond(
        self, request: ModelRequest, call: Call, token: CancellationToken | None
    ) -> AsyncGenerator[str | CreateResult, None]:
        """Send a request, and yield the pieces of the response and its result."""
        reader = call.reader
        recorded = False
        held: list[str] = []  # the pieces of a response that is unwrapped in the end
        try:
            async with AsyncExitStack() as stack:
                response = await stack.enter_async_context(self._exchange(call, token))
                if request.stream:
                    log_stream_start(call.body)
                events = await stack.enter_async_context(aclosing(response.events()))
                async for event in events:
                    for piece in reader.take(event):
                        if call.wrapper is None:
                            yield piece
                        else:
                            held.append(piece)
                    if reader.complete:
                        break
                if not (reader.complete or reader.ended or response.complete):
                    raise ModelResponseError(
                        f"the stream of {self._model} broke off before its end: it ended before "
                        "the response was complete"
                    )
                held += reader.finish()
                result = self._unwrapped(call, reader.result(self._usage(request, reader)))
                recorded = True
                self._ledger.record(result.usage)
                if call.wrapper is not None and isinstance(result.content, str):
                    held = [result.content]
                for piece in held:
                    yield piece
                if reader.complete and not response.complete:
                    await response.drain()
        finally:
            # What was written before a stream is closed or breaks off has its price, too.
            if reader.begun and not recorded:
                self._ledger.record(self._usage(request, reader))
        yield result

    @asynccontextmanager
    async def _exchange(
        self, call: Call, token: CancellationToken | None
    ) -> AsyncIterator[Exchange]:
        connection = await self._connections.here()
        async with exchange(
            connection, call.path, call.body, call.options, token, self._failures
        ) as response:
            yield response

    def _unwrapped(self, call: Call, result: CreateResult) -> CreateResult:
        if call.wrapper is None or not isinstance(result.content, str):
            return result
        return result.model_copy(update={"content": unwrapped(result.content, call.wrapper)})

    def _usage(self, request: ModelRequest, reader: Reader) -> DetailedUsage:
        estimate = self.count_tokens(request.messages, tools=request.tools)
        return reader.usage.resolved(estimate, reader.text(), self._model, reader.model)

    async def close(self) -> None:
        """Close the connections; a client that is used again opens new ones."""
        await self._connections.close()

    @property
    def ledger(self) -> UsageLedger:
        """The usage in all, of each agent, and of each conversation."""
        return self._ledger

    def actual_usage(self) -> DetailedUsage:
        """Return the total usage; nothing here comes from a cache."""
        return replace(self._ledger.actual)

    def total_usage(self) -> DetailedUsage:
        """Return the total usage."""
        return replace(self._ledger.total)

    def count_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()
    ) -> int:
        """Estimate the tokens of a request, without asking the service; see `models.tokens`."""
        return count_tokens(messages, tools, self._model)

    def remaining_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()
    ) -> int:
        """Estimate how many tokens of the model's context are left; below zero, too many.

        Raises:
            ModelInfoError: The context length of the model is not known.
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
        """The abilities of the model; deprecated in favor of `model_info`."""
        warnings.warn(
            "capabilities is deprecated, use model_info instead", DeprecationWarning, stacklevel=2
        )
        return cast("ModelCapabilities", self._model_info)

    @property
    def model_info(self) -> ModelInfo:
        """The abilities of the model."""
        return self._model_info

    def __repr__(self) -> str:
        return f"{type(self).__name__}(model={self._model!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle by the arguments; keys are not among them."""
        refuse_pickling(self._arguments)
        return _remade, (type(self), self._arguments)


def _remade(kind: Any, arguments: dict[str, Any]) -> Any:
    return kind(**arguments)
