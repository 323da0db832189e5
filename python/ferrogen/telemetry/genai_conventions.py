"""The words of OpenTelemetry's conventions for generative AI, of two ages.

AutoGen's dashboards know the conventions as they were before version 1.37. By default spans keep to
these and say the provider by its new name, too. `OPT_IN`, by which the conventions ask for it,
chooses the latest ones alone.
"""

from __future__ import annotations

import os
from enum import Enum

from opentelemetry.trace import SpanKind

# Written out: the package that has these names is still unstable, and large.
AGENT_DESCRIPTION = "gen_ai.agent.description"
AGENT_ID = "gen_ai.agent.id"
AGENT_NAME = "gen_ai.agent.name"
OPERATION_NAME = "gen_ai.operation.name"
PROVIDER_NAME = "gen_ai.provider.name"
SYSTEM = "gen_ai.system"
TOOL_CALL_ID = "gen_ai.tool.call.id"
TOOL_DESCRIPTION = "gen_ai.tool.description"
TOOL_NAME = "gen_ai.tool.name"
TOOL_TYPE = "gen_ai.tool.type"
ERROR_TYPE = "error.type"

AUTOGEN = "autogen"
"""The provider and the system of all our spans."""

OPT_IN = "OTEL_SEMCONV_STABILITY_OPT_IN"
"""The environment variable that lists, separated by commas, which conventions are wanted."""

LATEST = "gen_ai_latest_experimental"
"""The word in it that asks for the latest conventions for generative AI."""


class GenAiOperationNameValues(Enum):
    """The operations that the conventions name."""

    CHAT = "chat"
    CREATE_AGENT = "create_agent"
    EMBEDDINGS = "embeddings"
    EXECUTE_TOOL = "execute_tool"
    GENERATE_CONTENT = "generate_content"
    INVOKE_AGENT = "invoke_agent"
    TEXT_COMPLETION = "text_completion"


def wants_latest() -> bool:
    """Return whether the environment asks for the latest conventions alone.

    Returns:
        True when the variable lists the word.
    """
    return LATEST in map(str.strip, os.environ.get(OPT_IN, "").split(","))


def kind_of(operation: GenAiOperationNameValues, *, latest: bool) -> SpanKind:
    """Return which kind of span an operation is.

    Args:
        operation: The operation.
        latest: Whether to use the latest conventions, which distinguish agents in this process
            from those behind a service.

    Returns:
        The kind.
    """
    internal = [GenAiOperationNameValues.EXECUTE_TOOL]
    if latest:
        internal.append(GenAiOperationNameValues.INVOKE_AGENT)
    return SpanKind.INTERNAL if operation in internal else SpanKind.CLIENT


def common_attributes(operation: GenAiOperationNameValues, *, latest: bool) -> dict[str, str]:
    """Build the attributes that every span of an operation has.

    Args:
        operation: The operation.
        latest: Whether the latest conventions are wanted.

    Returns:
        The attributes, by name.
    """
    attributes = {OPERATION_NAME: operation.value, PROVIDER_NAME: AUTOGEN}
    if not latest:
        attributes[SYSTEM] = AUTOGEN
    elif operation is GenAiOperationNameValues.EXECUTE_TOOL:
        attributes[TOOL_TYPE] = "function"  # the model asks for it, and this process calls it
    return attributes
