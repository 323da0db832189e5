"""Structured log events of the runtime, model clients and tools.

They go to the logger named by ``EVENT_LOGGER_NAME``. Each event has its fields in ``kwargs``, and
is rendered as one line of JSON when a handler formats it. Events that the runtime logs for messages
create these fields when they are first read.
"""

from .call_events import LLMCallEvent, LLMStreamEndEvent, LLMStreamStartEvent, ToolCallEvent
from .message_events import (
    AgentConstructionExceptionEvent,
    DeliveryStage,
    MessageDroppedEvent,
    MessageEvent,
    MessageHandlerExceptionEvent,
    MessageKind,
)

__all__ = [
    "AgentConstructionExceptionEvent",
    "DeliveryStage",
    "LLMCallEvent",
    "LLMStreamEndEvent",
    "LLMStreamStartEvent",
    "MessageDroppedEvent",
    "MessageEvent",
    "MessageHandlerExceptionEvent",
    "MessageKind",
    "ToolCallEvent",
]
