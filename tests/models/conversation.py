"""What tests of many clients share: a model that can do everything, and what it is asked."""

from __future__ import annotations

from ferrogen.models import LLMMessage, ModelInfo, SystemMessage, UserMessage

INFO: ModelInfo = {
    "vision": True,
    "function_calling": True,
    "json_output": True,
    "structured_output": True,
    "family": "unknown",
}
QUESTION: list[LLMMessage] = [
    SystemMessage(content="Be brief."),
    UserMessage(content="What time is it?", source="me"),
]
