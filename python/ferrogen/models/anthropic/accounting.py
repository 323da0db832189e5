"""Usage of a request: reported by the API, or estimated."""

from __future__ import annotations

from collections.abc import Sequence

from ferrogen.models.anthropic.events import Usage
from ferrogen.models.messages import LLMMessage
from ferrogen.models.registry import known_model
from ferrogen.models.tokens import count_text, count_tokens
from ferrogen.models.usage import DetailedUsage
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema


class Account:
    """Knows what was asked, and tells what that and the answer took.

    Args:
        model: Who was asked.
        messages: What was asked.
        tools: What the model could call.
    """

    def __init__(
        self, model: str, messages: Sequence[LLMMessage], tools: Sequence[Tool | ToolSchema]
    ) -> None:
        self._model = model
        self._messages = messages
        self._tools = tools

    def of(self, counted: Usage | None, answer: str, *, complete: bool = True) -> DetailedUsage:
        """Tell what an answer took.

        Args:
            counted: What the API counted, in so far as it did.
            answer: The words of the answer, thoughts and arguments among them.
            complete: Whether the answer came to its end. The API counts its tokens there; until
                then it tells how many there were at the beginning.
        """
        counted = counted or Usage()
        cached = _count(counted.cache_read_input_tokens)
        written = _count(counted.cache_creation_input_tokens)
        # The API counts what the cache took part in apart.
        prompt = _count(counted.input_tokens) + cached + written
        completion = _count(counted.output_tokens)
        prompt_is_told = counted.input_tokens is not None
        completion_is_told = counted.output_tokens is not None and complete
        if not prompt_is_told:
            prompt = count_tokens(self._messages, self._tools, self._model)
        if not completion_is_told:
            completion = max(completion, count_text(answer))
        details = counted.output_tokens_details
        usage = DetailedUsage(
            prompt,
            completion,
            cached_tokens=cached,
            cache_write_tokens=written,
            reasoning_tokens=_count(details.thinking_tokens if details else None),
            estimated=not (prompt_is_told and completion_is_told),
        )
        entry = known_model(self._model)
        usage.cost = entry.cost(usage) if entry is not None else None
        return usage


def _count(told: float | None) -> int:
    return max(0, int(told or 0))
