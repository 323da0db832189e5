"""Spans of the runtime, and whether a tracer records them."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from functools import lru_cache, partial
from typing import Any, Generic, TypeVar

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import (
    Link,
    NoOpTracerProvider,
    ProxyTracerProvider,
    Span,
    SpanKind,
    Status,
    StatusCode,
    TracerProvider,
    get_tracer_provider,
    set_span_in_context,
    use_span,
)
from opentelemetry.util import types

from ferrogen.telemetry.propagation import TelemetryMetadataContainer, get_telemetry_links
from ferrogen.telemetry.tracing_config import (
    Destination,
    ExtraAttributes,
    Operation,
    TracingConfig,
)

_REMEMBERED = 256


class TraceHelper(Generic[Operation, Destination, ExtraAttributes]):
    """Open spans that are named by a tracing configuration.

    Args:
        tracer_provider: Where spans go. Without one they go to OpenTelemetry's global provider.
        instrumentation_builder_config: How spans are named.

    When the environment variable ``AUTOGEN_DISABLE_RUNTIME_TRACING`` is ``true`` at construction,
    nothing is recorded by any provider.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None,
        instrumentation_builder_config: TracingConfig[Operation, Destination, ExtraAttributes],
    ) -> None:
        self.instrumentation_builder_config = instrumentation_builder_config
        self.tracer_provider: TracerProvider
        if os.environ.get("AUTOGEN_DISABLE_RUNTIME_TRACING") == "true":
            self.tracer_provider = NoOpTracerProvider()
        elif tracer_provider is None:
            self.tracer_provider = get_tracer_provider()
        else:
            self.tracer_provider = tracer_provider
        self.tracer = self.tracer_provider.get_tracer(
            f"autogen {instrumentation_builder_config.name}"
        )
        # The proxy stands for a global provider that is not set yet; only it can change its mind.
        self._waits_for_provider = isinstance(self.tracer_provider, ProxyTracerProvider)
        self._records = not self._waits_for_provider and not isinstance(
            self.tracer_provider, NoOpTracerProvider
        )
        # Of the few that messages go to again and again.
        self._described = lru_cache(maxsize=_REMEMBERED)(
            partial(_describe, instrumentation_builder_config)
        )

    def is_recording(self) -> bool:
        """Return whether a span opened now would be recorded (invariant B2).

        A provider that is installed globally after construction counts from then on.

        Returns:
            False when tracing is disabled or no real tracer provider is there.
        """
        if self._waits_for_provider:
            provider = get_tracer_provider()
            if not isinstance(provider, ProxyTracerProvider):
                # OpenTelemetry accepts a global provider once, so the result is final.
                self._waits_for_provider = False
                self._records = not isinstance(provider, NoOpTracerProvider)
        return self._records

    def start_span(
        self,
        operation: Operation,
        destination: Destination,
        facts: dict[str, types.AttributeValue],
        *,
        link: Link | None = None,
        context: Context | None = None,
    ) -> Span:
        """Open a span that is neither made the current one nor ended by a block.

        Args:
            operation: The operation.
            destination: With whom or what.
            facts: Further attributes of the span. The configuration's attributes are put in.
            link: Where the message comes from.
            context: Where the parent of the span is found, if not in the current context.

        Returns:
            The span. It is ended by its own `end`, or by `fail_span`.
        """
        name, kind, attributes = self._described(operation, destination)
        facts.update(attributes)
        links = None if link is None else (link,)
        return self.tracer.start_span(name, context, kind, facts, links)

    def block(
        self,
        operation: Operation,
        destination: Destination,
        facts: dict[str, types.AttributeValue],
        *,
        link: Link | None = None,
    ) -> SpanBlock:
        """Open a span for a block, at less cost than `trace_block` and with fewer choices.

        Args:
            operation: The operation.
            destination: With whom or what.
            facts: Further attributes of the span. The configuration's attributes are put in.
            link: Where the message comes from.

        Returns:
            The block, to be entered at once.
        """
        return SpanBlock(self.start_span(operation, destination, facts, link=link))

    @contextmanager
    def trace_block(
        self,
        operation: Operation,
        destination: Destination,
        parent: TelemetryMetadataContainer | None,
        *,
        extraAttributes: ExtraAttributes | None = None,  # noqa: N803 - upstream's name
        kind: SpanKind | None = None,
        attributes: types.Attributes | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> Iterator[Span]:
        """Open a span around a block and make it the current one.

        Args:
            operation: The operation.
            destination: With whom or what.
            parent: The trace the message came with. The span is linked to it; its parent is
                whichever span is current.
            extraAttributes: Further attributes, given to the tracing configuration.
            kind: The kind of span, when it is not the operation's usual one.
            attributes: Further attributes, written as they are.
            start_time: When the span began, in nanoseconds, if not now.
            record_exception: Write an exception that leaves the block into the span.
            set_status_on_exception: Mark the span as failed when an exception leaves the block.
            end_on_exit: End the span with the block.

        Yields:
            The span.
        """
        config = self.instrumentation_builder_config
        with self.tracer.start_as_current_span(
            config.get_span_name(operation, destination),
            kind=config.get_span_kind(operation) if kind is None else kind,
            attributes={
                **(attributes or {}),
                **config.build_attributes(operation, destination, extraAttributes),
            },
            links=get_telemetry_links(parent) if parent else None,
            start_time=start_time,
            record_exception=record_exception,
            set_status_on_exception=set_status_on_exception,
            end_on_exit=end_on_exit,
        ) as span:
            yield span


class SpanBlock:
    """A block in which a span is the current one, and at whose end it ends.

    It does what OpenTelemetry's `use_span` does, without making a context manager of a generator.

    Args:
        span: The span.
    """

    __slots__ = ("_span", "_token")

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> Span:
        self._token = attach(set_span_in_context(self._span))
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: object
    ) -> None:
        detach(self._token)
        if error is None:
            self._span.end()
        else:
            fail_span(self._span, error)


def fail_span(span: Span, error: BaseException) -> None:
    """End a span in which something went wrong, as OpenTelemetry's own blocks do.

    Args:
        span: The span.
        error: The error. Only an `Exception` is written into the span.
    """
    if isinstance(error, Exception) and span.is_recording():
        span.record_exception(error)
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
    span.end()


def _describe(
    config: TracingConfig[Operation, Destination, Any],
    operation: Operation,
    destination: Destination,
) -> tuple[str, SpanKind, dict[str, types.AttributeValue]]:
    return (
        config.get_span_name(operation, destination),
        config.get_span_kind(operation),
        config.build_attributes(operation, destination, None),
    )


PartT = TypeVar("PartT")


async def traced_stream(
    opening: AbstractContextManager[Span], parts: AsyncGenerator[PartT, None]
) -> AsyncGenerator[PartT, None]:
    """Yield the items of a generator, its steps inside a span.

    Args:
        opening: Opens the span, for the whole stream; an error of the generator ends it.
        parts: The generator; closed in the end.
    """
    aside = copy_context()  # where the span is current without being so for the consumer
    span = aside.run(opening.__enter__)
    try:
        while True:
            # Errors are recorded on the span once, by `opening`.
            with use_span(span, record_exception=False, set_status_on_exception=False):
                try:
                    part = await anext(parts)
                except StopAsyncIteration:
                    break
            yield part
    except BaseException:
        await parts.aclose()
        aside.run(opening.__exit__, *sys.exc_info())
        raise
    aside.run(opening.__exit__, None, None, None)
