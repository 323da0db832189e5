"""Spans after OpenTelemetry's conventions for generative AI: tools that run, agents that act."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from enum import Enum
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind

# The conventions' names are written out: their package is still unstable, and large.
GEN_AI_AGENT_DESCRIPTION = "gen_ai.agent.description"
GEN_AI_AGENT_ID = "gen_ai.agent.id"
GEN_AI_AGENT_NAME = "gen_ai.agent.name"
GEN_AI_OPERATION_NAME = "gen_ai.operation.name"
GEN_AI_PROVIDER_NAME = "gen_ai.provider.name"
GEN_AI_SYSTEM = "gen_ai.system"
GEN_AI_TOOL_CALL_ID = "gen_ai.tool.call.id"
GEN_AI_TOOL_DESCRIPTION = "gen_ai.tool.description"
GEN_AI_TOOL_NAME = "gen_ai.tool.name"
ERROR_TYPE = "error.type"

GENAI_SYSTEM_AUTOGEN = "autogen"


class GenAiOperationNameValues(Enum):
    """The operations that the conventions name."""

    CHAT = "chat"
    CREATE_AGENT = "create_agent"
    EMBEDDINGS = "embeddings"
    EXECUTE_TOOL = "execute_tool"
    GENERATE_CONTENT = "generate_content"
    INVOKE_AGENT = "invoke_agent"
    TEXT_COMPLETION = "text_completion"


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
        tool_description: What the tool does.
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
        SpanKind.INTERNAL,
        tracer,
        parent,
        {
            GEN_AI_TOOL_NAME: tool_name,
            GEN_AI_TOOL_DESCRIPTION: tool_description,
            GEN_AI_TOOL_CALL_ID: tool_call_id,
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
        agent_description: What the agent is for.

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
        SpanKind.CLIENT,
        tracer,
        parent,
        {
            GEN_AI_AGENT_NAME: agent_name,
            GEN_AI_AGENT_ID: _agent_under_construction() if agent_id is None else agent_id,
            GEN_AI_AGENT_DESCRIPTION: agent_description,
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
        agent_description: What the agent is for.

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
        SpanKind.CLIENT,
        tracer,
        parent,
        {
            GEN_AI_AGENT_NAME: agent_name,
            GEN_AI_AGENT_ID: agent_id,
            GEN_AI_AGENT_DESCRIPTION: agent_description,
        },
    ) as span:
        yield span


@contextmanager
def _genai_span(
    operation: GenAiOperationNameValues,
    subject: str,
    kind: SpanKind,
    tracer: trace.Tracer | None,
    parent: Span | None,
    details: dict[str, str | None],
) -> Generator[Span, Any, None]:
    attributes = {
        GEN_AI_OPERATION_NAME: operation.value,
        # The conventions renamed the first to the second; readers of either find it.
        GEN_AI_SYSTEM: GENAI_SYSTEM_AUTOGEN,
        GEN_AI_PROVIDER_NAME: GENAI_SYSTEM_AUTOGEN,
        **{name: value for name, value in details.items() if value is not None},
    }
    with (tracer or trace.get_tracer("autogen-core")).start_as_current_span(
        f"{operation.value} {subject}",
        kind=kind,
        context=None if parent is None else trace.set_span_in_context(parent),
        attributes=attributes,
    ) as span:
        try:
            yield span
        except Exception as error:
            # Event and status are written once, by start_as_current_span.
            span.set_attribute(ERROR_TYPE, type(error).__name__)
            raise


def _agent_under_construction() -> str | None:
    # Agents import telemetry, not the other way round; this is the one look back.
    from ferrogen._agents.instantiation import AgentInstantiationContext

    try:
        return str(AgentInstantiationContext.current_agent_id())
    except RuntimeError:
        return None
