"""Spans after OpenTelemetry's conventions for generative AI: tools that run, agents that act."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span

from ferrogen.telemetry import genai_conventions as convention
from ferrogen.telemetry.genai_conventions import GenAiOperationNameValues


@contextmanager
def trace_tool_span(
    tool_name: str,
    *,
    tracer: trace.Tracer | None = None,
    parent: Span | None = None,
    tool_description: str | None = None,
    tool_call_id: str | None = None,
) -> Generator[Span, Any, None]:
    """Open a span around the run of a tool.

    The conventions are not final: attributes may be added when they change.

    Args:
        tool_name: The tool that runs.
        tracer: Where the span goes, OpenTelemetry's global tracer if not given.
        parent: The span this one belongs under, the current one if not given.
        tool_description: The description of the tool.
        tool_call_id: The id that the model gave to the call.

    Yields:
        The span. An exception that leaves the block is recorded in it and raised on.

    Example:
        ```python
        from ferrogen import trace_tool_span

        with trace_tool_span("add", tool_call_id="call-1") as span:
            span.set_attribute("sum", 1 + 2)
        ```
    """
    with _genai_span(
        GenAiOperationNameValues.EXECUTE_TOOL,
        tool_name,
        tracer,
        parent,
        {
            convention.TOOL_NAME: tool_name,
            convention.TOOL_DESCRIPTION: tool_description,
            convention.TOOL_CALL_ID: tool_call_id,
        },
    ) as span:
        yield span


@contextmanager
def trace_create_agent_span(
    agent_name: str,
    *,
    tracer: trace.Tracer | None = None,
    parent: Span | None = None,
    agent_id: str | None = None,
    agent_description: str | None = None,
) -> Generator[Span, Any, None]:
    """Open a span around the making of an agent.

    The conventions are not final: attributes may be added when they change.

    Args:
        agent_name: The agent that is made.
        tracer: Where the span goes, OpenTelemetry's global tracer if not given.
        parent: The span this one belongs under, the current one if not given.
        agent_id: The agent's id. Inside an agent factory it is found if not given.
        agent_description: The description of the agent.

    Yields:
        The span. An exception that leaves the block is recorded in it and raised on.

    Example:
        ```python
        from ferrogen import trace_create_agent_span

        with trace_create_agent_span("greeter", agent_description="says hello"):
            pass
        ```
    """
    with _genai_span(
        GenAiOperationNameValues.CREATE_AGENT,
        agent_name,
        tracer,
        parent,
        {
            convention.AGENT_NAME: agent_name,
            convention.AGENT_ID: _agent_under_construction() if agent_id is None else agent_id,
            convention.AGENT_DESCRIPTION: agent_description,
        },
    ) as span:
        yield span


@contextmanager
def trace_invoke_agent_span(
    agent_name: str,
    *,
    tracer: trace.Tracer | None = None,
    parent: Span | None = None,
    agent_id: str | None = None,
    agent_description: str | None = None,
) -> Generator[Span, Any, None]:
    """Open a span around the work of an agent.

    The conventions are not final: attributes may be added when they change.

    Args:
        agent_name: The agent that works.
        tracer: Where the span goes, OpenTelemetry's global tracer if not given.
        parent: The span this one belongs under, the current one if not given.
        agent_id: The agent's id.
        agent_description: The description of the agent.

    Yields:
        The span. An exception that leaves the block is recorded in it and raised on.

    Example:
        ```python
        from ferrogen import trace_invoke_agent_span

        with trace_invoke_agent_span("greeter", agent_id="greeter/default"):
            pass
        ```
    """
    with _genai_span(
        GenAiOperationNameValues.INVOKE_AGENT,
        agent_name,
        tracer,
        parent,
        {
            convention.AGENT_NAME: agent_name,
            convention.AGENT_ID: agent_id,
            convention.AGENT_DESCRIPTION: agent_description,
        },
    ) as span:
        yield span


@contextmanager
def _genai_span(
    operation: GenAiOperationNameValues,
    subject: str,
    tracer: trace.Tracer | None,
    parent: Span | None,
    details: dict[str, str | None],
) -> Generator[Span, Any, None]:
    if tracer is None and parent is None and _is_unobserved():
        yield trace.get_current_span()
        return
    latest = convention.wants_latest()
    attributes = {
        **convention.common_attributes(operation, latest=latest),
        **{name: value for name, value in details.items() if value is not None},
    }
    with (tracer or trace.get_tracer("autogen-core")).start_as_current_span(
        f"{operation.value} {subject}",
        kind=convention.kind_of(operation, latest=latest),
        context=None if parent is None else trace.set_span_in_context(parent),
        attributes=attributes,
    ) as span:
        try:
            yield span
        except Exception as error:
            # Event and status are written once, by start_as_current_span.
            span.set_attribute(convention.ERROR_TYPE, type(error).__name__)
            raise


def _is_unobserved() -> bool:
    """Return whether a span in the current context would be a stand-in for that around it (B2)."""
    provider = trace.get_tracer_provider()
    without_sdk = isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider)
    return without_sdk and not trace.get_current_span().is_recording()


def _agent_under_construction() -> str | None:
    # Agents import telemetry, not the other way round; this is the one look back.
    from ferrogen.agents.instantiation import AgentInstantiationContext

    try:
        return str(AgentInstantiationContext.current_agent_id())
    except RuntimeError:
        return None
