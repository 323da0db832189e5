"""Usage in a response, under the names of different services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ferrogen.models.providers._usage import ReportedUsage, count, optional_count, part


def reports_usage(body: Mapping[str, Any], choices: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a response or an event reports usage, which most events do not."""
    if body.get("usage") or "x_groq" in body:
        return True
    return any("usage" in choice for choice in choices)


def usage_in(body: Mapping[str, Any], choices: Sequence[Mapping[str, Any]] = ()) -> ReportedUsage:
    """Return the usage that a response or an event reports.

    Args:
        body: The response or the event.
        choices: Its choices; Kimi has the usage in them.
    """
    usage = ReportedUsage()
    for place in (body, part(body, "x_groq"), *choices):
        if fields := part(place, "usage"):
            usage.merge(_read(fields))
    return usage


def _read(fields: Mapping[str, Any]) -> ReportedUsage:
    prompt = optional_count(_first(fields, "prompt_tokens", "input_tokens"))
    completion = optional_count(_first(fields, "completion_tokens", "output_tokens"))
    total = optional_count(fields.get("total_tokens"))
    if total is not None and prompt is not None and completion is None:
        completion = max(0, total - prompt)
    prompts = part(fields, "prompt_tokens_details") or part(fields, "input_tokens_details")
    completions = part(fields, "completion_tokens_details") or part(fields, "output_tokens_details")
    cached = _first(prompts, "cached_tokens") or _first(
        fields, "prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens"
    )
    return ReportedUsage(
        prompt,
        completion,
        cached=count(cached),
        cache_write=count(fields.get("cache_creation_input_tokens")),
        reasoning=count(completions.get("reasoning_tokens")),
        audio=count(prompts.get("audio_tokens")) + count(completions.get("audio_tokens")),
    )


def _first(fields: Mapping[str, Any], *names: str) -> Any:
    return next((fields[name] for name in names if fields.get(name) is not None), None)
