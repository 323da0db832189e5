"""Finish reasons of services, in the words of Ferrogen."""

from __future__ import annotations

import re

from ferrogen.models.results import FinishReasons

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
