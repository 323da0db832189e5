"""Estimated cost of a request before it is sent."""

from __future__ import annotations

from collections.abc import Iterable

from ferrogen.models.client import ChatCompletionClient
from ferrogen.models.middleware.request import Request
from ferrogen.models.results import RequestUsage

# How services call the most tokens that a response may have.
_LIMITS: Iterable[str] = ("max_completion_tokens", "max_output_tokens", "max_tokens")


def estimated_usage(
    client: ChatCompletionClient, request: Request, answer_tokens: int
) -> RequestUsage:
    """Guess what a request will take.

    Args:
        client: Counts the tokens of the prompt.
        request: What is to be asked. Its response is taken to be as long as its extra arguments
            allow, ``max_tokens`` and the like.
        answer_tokens: The tokens of the response, if the request does not limit them.
    """
    prompt = client.count_tokens(request.messages, tools=request.tools)
    limits = (request.extra_create_args.get(name) for name in _LIMITS)
    longest = next((limit for limit in limits if isinstance(limit, int)), answer_tokens)
    return RequestUsage(prompt, longest)
