"""What the tests of all clients ask the real model, and what it can do."""

from __future__ import annotations

from ferrogen.models import LLMMessage, ModelInfo, SystemMessage, UserMessage

MODEL: ModelInfo = {
    "vision": False,
    "function_calling": True,
    "json_output": True,
    "structured_output": True,
    "family": "smollm2",
}
QUESTION: list[LLMMessage] = [
    SystemMessage(content="You answer in one short sentence."),
    UserMessage(content="What is the capital of France?", source="traveller"),
]
