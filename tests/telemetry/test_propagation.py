"""Traces carried by envelopes and headers."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, get_current_span

from ferrogen.telemetry.propagation import (
    EnvelopeMetadata,
    TelemetryMetadataContainer,
    get_telemetry_context,
    get_telemetry_envelope_metadata,
    get_telemetry_grpc_metadata,
    get_telemetry_links,
)

TRACE_ID = 0x0AF7651916CD43DD8448EB211C80319C
SPAN_ID = 0xB7AD6B7169203331
TRACEPARENT = f"00-{TRACE_ID:032x}-{SPAN_ID:016x}-01"


@pytest.fixture
def span() -> Iterator[Span]:
    with TracerProvider().get_tracer("test").start_as_current_span("outer") as span:
        yield span


def test_without_a_span_nothing_is_written() -> None:
    assert get_telemetry_envelope_metadata() == EnvelopeMetadata()
    assert get_telemetry_grpc_metadata() == {}


def test_the_current_span_is_written_and_read_back(span: Span) -> None:
    metadata = get_telemetry_envelope_metadata()
    remote = get_current_span(get_telemetry_context(metadata)).get_span_context()
    assert remote.trace_id == span.get_span_context().trace_id
    assert remote.span_id == span.get_span_context().span_id


def test_headers_are_kept_and_the_given_mapping_is_left_alone(span: Span) -> None:
    given = {"user": "me", "traceparent": "stale"}
    headers = get_telemetry_grpc_metadata(given)
    assert headers["user"] == "me"
    assert headers["traceparent"] != "stale"
    assert given == {"user": "me", "traceparent": "stale"}


@pytest.mark.parametrize(
    "metadata",
    [EnvelopeMetadata(traceparent=TRACEPARENT), {"traceparent": TRACEPARENT}],
    ids=["envelope", "headers"],
)
def test_the_carried_span_becomes_a_link(metadata: TelemetryMetadataContainer) -> None:
    [link] = get_telemetry_links(metadata)
    assert (link.context.trace_id, link.context.span_id) == (TRACE_ID, SPAN_ID)


def test_no_metadata_means_an_empty_context_and_no_links(span: Span) -> None:
    assert get_telemetry_context(None) == {}
    assert get_telemetry_links(None) is None


def test_metadata_of_another_kind_is_refused_or_passed_over() -> None:
    with pytest.raises(ValueError, match="cannot read a trace context from"):
        get_telemetry_context(5)
    assert get_telemetry_links(5) is None


@pytest.mark.parametrize("given", [None, {"user": "me"}, {"traceparent": "stale"}], ids=repr)
def test_headers_are_those_of_upstream(span: Span, given: dict[str, str] | None) -> None:
    upstream = pytest.importorskip("autogen_core._telemetry")
    assert get_telemetry_grpc_metadata(given) == upstream.get_telemetry_grpc_metadata(given)


@pytest.mark.parametrize(
    "headers",
    [{}, {"traceparent": TRACEPARENT, "tracestate": "vendor=1"}, {"traceparent": "no trace"}],
    ids=["none", "a trace", "damaged"],
)
def test_what_upstream_reads_from_headers_we_read(headers: dict[str, str]) -> None:
    upstream = pytest.importorskip("autogen_core._telemetry._propagation")
    ours, theirs = (
        get_current_span(read(headers)).get_span_context()
        for read in (get_telemetry_context, upstream.get_telemetry_context)
    )
    assert (ours.trace_id, ours.span_id) == (theirs.trace_id, theirs.span_id)
    assert ours.trace_state == theirs.trace_state
    assert [link.context for link in get_telemetry_links(headers)] == [
        link.context for link in upstream.get_telemetry_links(headers)
    ]
