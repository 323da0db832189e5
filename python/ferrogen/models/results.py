"""Results of requests to models: content, usage, log probabilities."""

from dataclasses import dataclass
from typing import List, Literal, Optional, Union  # noqa: UP035 - upstream's spelling

from pydantic import BaseModel

from ferrogen.messaging.function_call import FunctionCall

# ruff: noqa: UP006, UP007, UP045 - annotations are part of the surface that is compared

FinishReasons = Literal["stop", "length", "function_calls", "content_filter", "unknown"]
"""Why a model ended its response."""


@dataclass
class RequestUsage:
    """How many tokens a request took.

    Example:
        ```python
        from ferrogen.models import RequestUsage

        usage = RequestUsage(prompt_tokens=12, completion_tokens=30)
        assert usage.prompt_tokens + usage.completion_tokens == 42
        ```
    """

    __module__ = "ferrogen.models"

    prompt_tokens: int
    """Tokens of the request."""

    completion_tokens: int
    """Tokens of the response."""


@dataclass
class TopLogprob:
    """A token that the model might have chosen, and how likely it was.

    Example:
        ```python
        from math import exp

        from ferrogen.models import TopLogprob

        assert exp(TopLogprob(logprob=0.0).logprob) == 1.0
        ```
    """

    __module__ = "ferrogen.models"

    logprob: float
    """The natural logarithm of its probability."""

    bytes: Optional[List[int]] = None
    """The token in UTF-8, each byte as a number."""


class ChatCompletionTokenLogprob(BaseModel):
    """A token of a response, its log probability, and the alternatives.

    Example:
        ```python
        from ferrogen.models import ChatCompletionTokenLogprob, TopLogprob

        token = ChatCompletionTokenLogprob(
            token="yes", logprob=-0.1, top_logprobs=[TopLogprob(logprob=-2.3)]
        )
        assert token.top_logprobs == [TopLogprob(logprob=-2.3)]
        ```
    """

    __module__ = "ferrogen.models"

    token: str
    """The token as text."""

    logprob: float
    """The natural logarithm of its probability."""

    top_logprobs: Optional[List[TopLogprob]] = None
    """The likeliest tokens at this place."""

    bytes: Optional[List[int]] = None
    """The token in UTF-8, each byte as a number."""


class CreateResult(BaseModel):
    """The response of a model to one request.

    Example:
        ```python
        from ferrogen.models import CreateResult, RequestUsage

        result = CreateResult(
            finish_reason="stop", content="Ciao", usage=RequestUsage(3, 2), cached=False
        )
        assert result.thought is None
        ```
    """

    __module__ = "ferrogen.models"

    finish_reason: FinishReasons
    """Why the response ends here."""

    content: Union[str, List[FunctionCall]]
    """Text, or the functions that the model wants to be called."""

    usage: RequestUsage
    """The usage of the request."""

    cached: bool
    """Whether the response came from a cache."""

    logprobs: Optional[List[ChatCompletionTokenLogprob]] = None
    """The tokens of the response with their probabilities, if they were asked for."""

    thought: Optional[str] = None
    """How the model reasoned, or the text that came along with its function calls."""
