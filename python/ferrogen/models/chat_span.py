"""The span of one request to a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import NoOpTracerProvider, ProxyTracerProvider, Span, SpanKind
from opentelemetry.trace.status import Status, StatusCode

from ferrogen.models.results import CreateResult
from ferrogen.telemetry import genai_conventions as convention

REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"


class ChatSpan:
    """The span of one request, if spans are recorded.

    Args:
        span: The span, or ``None`` if no spans are recorded.
    """

    def __init__(self, span: Span | None) -> None:
        self._span = span

    def record(self, result: CreateResult, model: str | None) -> None:
        """Record the outcome of the request.

        Args:
            result: The response.
            model: The model that responded, as the service reports it.
        """
        if self._span is None:
            return
        self._span.set_attribute(FINISH_REASONS, [result.finish_reason])
        self._span.set_attribute(INPUT_TOKENS, result.usage.prompt_tokens)
        self._span.set_attribute(OUTPUT_TOKENS, result.usage.completion_tokens)
        if model is not None:
            self._span.set_attribute(RESPONSE_MODEL, model)


@contextmanager
def chat_span(model: str, provider: str) -> Iterator[ChatSpan]:
    """Open a span around one request; it is not the current span, because streams come in turns.

    Args:
        model: Who is asked.
        provider: Who serves it, in the words of the conventions: ``openai``, ``anthropic``.

    Yields:
        What takes the response. An exception that leaves the block is recorded and raised on.
    """
    if isinstance(trace.get_tracer_provider(), ProxyTracerProvider | NoOpTracerProvider):
        yield ChatSpan(None)  # no tracer records (B2)
        return
    operation = convention.GenAiOperationNameValues.CHAT
    attributes = {
        convention.OPERATION_NAME: operation.value,
        convention.PROVIDER_NAME: provider,
        REQUEST_MODEL: model,
    }
    if not convention.wants_latest():
        attributes[convention.SYSTEM] = provider
    tracer = trace.get_tracer("ferrogen")
    span = tracer.start_span(
        f"{operation.value} {model}", kind=SpanKind.CLIENT, attributes=attributes
    )
    try:
        yield ChatSpan(span)
    except Exception as error:
        span.set_attribute(convention.ERROR_TYPE, type(error).__name__)
        span.record_exception(error)
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        raise
    finally:
        span.end()
