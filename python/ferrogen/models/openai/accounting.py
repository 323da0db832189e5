"""Usage of a request: reported by the service, or estimated."""

from __future__ import annotations

from ferrogen.models.openai.chunks import CompletionDetails, PromptDetails, Usage
from ferrogen.models.usage import DetailedUsage


def usage_of(told: Usage) -> DetailedUsage:
    """Read the usage that a service tells."""
    prompt = told.prompt_tokens_details or PromptDetails()
    completion = told.completion_tokens_details or CompletionDetails()
    prompt_tokens, completion_tokens = _count(told.prompt_tokens), _count(told.completion_tokens)
    cached = _count(prompt.cached_tokens) or _count(told.prompt_cache_hit_tokens)
    return DetailedUsage(
        prompt_tokens,
        completion_tokens,
        cached_tokens=min(cached, prompt_tokens),
        reasoning_tokens=_count(completion.reasoning_tokens),
        audio_tokens=_count(prompt.audio_tokens) + _count(completion.audio_tokens),
    )


def _count(number: float | None) -> int:
    return max(0, int(number or 0))
