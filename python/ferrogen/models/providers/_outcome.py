"""The end of a request: its finish reason and its usage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ferrogen.models.registry import known_model
from ferrogen.models.results import FinishReasons
from ferrogen.models.tokens import count_text
from ferrogen.models.usage import DetailedUsage

_STOP = (
    *("stop", "eos", "eos_token", "end_turn", "stop_sequence", "stop_token", "complete"),
    *("completed", "finished", "end", "done", "normal", "load", "unload"),
)
_LENGTH = (
    *("length", "max_tokens", "max_output_tokens", "max_completion_tokens", "model_length"),
    *("max_length", "token_limit", "context_length", "context_length_exceeded"),
    "model_context_window_exceeded",
)
_FILTER = (
    *("content_filter", "content_filtered", "safety", "sensitive", "refusal", "recitation"),
    *("blocklist", "prohibited_content", "spii", "image_safety", "guardrail_intervened"),
    *("blocked", "content_blocked", "language", "moderation", "flagged"),
)
_CALLS = ("function_call", "function_calls", "tool_call", "tool_calls", "tool_use")
_ERRORS = frozenset(
    (
        *("error", "network_error", "malformed_function_call", "unexpected_tool_call"),
        *("insufficient_system_resource", "abort", "aborted", "cancelled", "canceled", "timeout"),
        *("failed", "failure", "server_error", "internal_error", "engine_error", "model_error"),
        *("upstream_error", "provider_error", "exception", "error_finish"),
    )
)
_REASONS: dict[str, FinishReasons] = {
    **dict.fromkeys(_STOP, "stop"),
    **dict.fromkeys(_LENGTH, "length"),
    **dict.fromkeys(_FILTER, "content_filter"),
    **dict.fromkeys(_CALLS, "function_calls"),
}
_SEPARATORS = re.compile(r"[\s-]+")


def finish_reason(reported: str | None) -> FinishReasons:
    """Return the finish reason for that of a service, in any spelling; ``unknown`` for others."""
    return _REASONS.get(_plain(reported), "unknown")


def is_failure(reported: str | None) -> bool:
    """Return whether a finish reason says that the response was cut by an error."""
    return _plain(reported) in _ERRORS


def _plain(reported: str | None) -> str:
    """Normalize ``FinishReason.MAX_TOKENS`` and ``tool-calls``."""
    return _SEPARATORS.sub("_", (reported or "").strip().rpartition(".")[2].lower())


@dataclass
class ReportedUsage:
    """The tokens that a service reports, as far as it does.

    Services report the totals so far, some of them with each event and some with zeros in the
    end. So the largest count holds.
    """

    prompt: int | None = None
    """Tokens of the prompt, those of the cache included."""

    completion: int | None = None
    """Tokens of the response."""

    cached: int = 0
    """Tokens of the prompt that were read from the cache."""

    cache_write: int = 0
    """Tokens of the prompt that were written into the cache."""

    reasoning: int = 0
    """Tokens of the reasoning."""

    audio: int = 0
    """Tokens of sound."""

    def merge(self, other: ReportedUsage) -> None:
        """Take over a later report."""
        self.prompt = _larger(self.prompt, other.prompt)
        self.completion = _larger(self.completion, other.completion)
        self.cached = max(self.cached, other.cached)
        self.cache_write = max(self.cache_write, other.cache_write)
        self.reasoning = max(self.reasoning, other.reasoning)
        self.audio = max(self.audio, other.audio)

    def resolved(
        self, prompt_estimate: int, text: str, model: str, responding: str | None
    ) -> DetailedUsage:
        """Return the usage; missing numbers are estimated.

        Args:
            prompt_estimate: The estimated tokens of the prompt.
            text: All that the model wrote.
            model: The model that was asked, for its price.
            responding: The model that responded, as the service reports it.
        """
        reported = bool(self.prompt or self.completion)
        prompt = self.prompt if reported else None
        completion = self.completion if reported else None
        usage = DetailedUsage(
            prompt_estimate if prompt is None else prompt,
            count_text(text) if completion is None else completion,
            cached_tokens=min(self.cached, prompt or 0),
            cache_write_tokens=self.cache_write,
            reasoning_tokens=self.reasoning,
            audio_tokens=self.audio,
            estimated=prompt is None or completion is None,
        )
        entry = known_model(model) or (known_model(responding) if responding else None)
        return usage if entry is None else replace(usage, cost=entry.cost(usage))


def count(value: Any) -> int:
    """Return a number of tokens; 0 if the service sent something else."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return 0
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0
    return max(0, int(value)) if value == value and abs(value) < 1e15 else 0  # noqa: PLR0124 - NaN


def optional_count(value: Any) -> int | None:
    """Return a number of tokens, or ``None`` if there is none."""
    return None if value is None or value == "" else count(value)


def part(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the object under a name, or an empty one."""
    value = values.get(name)
    return value if isinstance(value, dict) else {}


def _larger(first: int | None, second: int | None) -> int | None:
    if first is None or second is None:
        return second if first is None else first
    return max(first, second)
