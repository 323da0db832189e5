"""Propagation of traces between messages, in the W3C format (traceparent and tracestate)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_W3C = TraceContextTextMapPropagator()
_FIELDS = ("traceparent", "tracestate")


@dataclass(kw_only=True)
class EnvelopeMetadata:
    """The trace a message belongs to, as kept in the message's envelope."""

    traceparent: str | None = None
    tracestate: str | None = None
    links: Sequence[Link] | None = None


TelemetryMetadataContainer: TypeAlias = EnvelopeMetadata | Mapping[str, str] | None
"""Where a trace may be read from: an envelope, a remote call's headers, or nowhere."""


def get_telemetry_envelope_metadata() -> EnvelopeMetadata:
    """Write the current span into metadata for an envelope.

    Returns:
        The metadata; its fields are None when no span is current.
    """
    parent, state = map(_current_trace().get, _FIELDS)
    return EnvelopeMetadata(traceparent=parent, tracestate=state)


def get_telemetry_grpc_metadata(
    existingMetadata: Mapping[str, str] | None = None,  # noqa: N803 - upstream's name
) -> dict[str, str]:
    """Write the current span into headers for a remote call.

    Args:
        existingMetadata: Headers to keep. The mapping itself is left alone.

    Returns:
        A new dictionary with the kept headers and, when a span is current, its trace.
    """
    return {**(existingMetadata or {}), **_current_trace()}


def get_telemetry_context(metadata: TelemetryMetadataContainer) -> Context:
    """Read the context that the metadata carries.

    Args:
        metadata: An envelope's metadata, a remote call's headers, or None.

    Returns:
        A context with the remote span in it, empty when there is none.

    Raises:
        ValueError: When the metadata is neither of these.
    """
    if metadata is None:
        return Context()
    carrier = _carrier(metadata)
    if carrier is None:
        raise ValueError(f"cannot read a trace context from {type(metadata)}")
    return _extract(carrier)


def get_telemetry_links(metadata: TelemetryMetadataContainer) -> Sequence[Link] | None:
    """Make the link that ties a new span to the one that the metadata carries.

    Args:
        metadata: An envelope's metadata, a remote call's headers, or None.

    Returns:
        One link, or None when there is no metadata to read.
    """
    carrier = None if metadata is None else _carrier(metadata)
    if carrier is None:
        return None
    return [Link(get_current_span(_extract(carrier)).get_span_context())]


def link_to(span: Span) -> Link:
    """Make the link that a message takes along, without writing the span down on the way.

    Args:
        span: The span that the message comes from.

    Returns:
        The links that `get_telemetry_links` makes of metadata written in the span.
    """
    trace_id, span_id, _, flags, state, is_valid = span.get_span_context()
    # A span context is a tuple; its constructor would check the numbers once more.
    remote = (trace_id, span_id, True, flags, state, is_valid)
    return Link(tuple.__new__(SpanContext, remote))


def _current_trace() -> dict[str, str]:
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier


def _carrier(metadata: EnvelopeMetadata | Mapping[str, str]) -> dict[str, str] | None:
    if isinstance(metadata, EnvelopeMetadata):
        pairs = zip(_FIELDS, (metadata.traceparent, metadata.tracestate), strict=True)
        return {key: value for key, value in pairs if value is not None}
    # Headers of remote calls have many mapping-like types, not only collections.abc.Mapping.
    if not hasattr(metadata, "__getitem__"):
        return None
    found = {key: metadata.get(key) for key in _FIELDS}
    return {key: value for key, value in found.items() if value}


def _extract(carrier: dict[str, str]) -> Context:
    # Loaded on first use: this module looks up entry points of every installed package.
    from opentelemetry.propagate import extract

    return extract(carrier)
