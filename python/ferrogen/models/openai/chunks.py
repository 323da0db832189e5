"""Schemas of responses and of stream chunks.

Services that speak OpenAI's language leave things out or write them in other ways. What is read
here is as little as is needed, and as much of each field as is out there.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ferrogen.exceptions import ModelResponseError


class PromptDetails(msgspec.Struct):
    """What kinds of tokens the prompt had."""

    cached_tokens: float | None = None
    audio_tokens: float | None = None


class CompletionDetails(msgspec.Struct):
    """What kinds of tokens the answer had."""

    reasoning_tokens: float | None = None
    audio_tokens: float | None = None


class Usage(msgspec.Struct):
    """How many tokens it took."""

    prompt_tokens: float | None = None
    completion_tokens: float | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: float | None = None  # DeepSeek's word for cached tokens


class Function(msgspec.Struct):
    """The function that is to be called, or a piece of its name and arguments."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class ToolCall(msgspec.Struct):
    """A call, or a piece of one."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Message(msgspec.Struct):
    """What the model says, or a piece of it."""

    content: str | list[Any] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None  # DeepSeek, vLLM, llama.cpp
    reasoning: str | None = None  # OpenRouter, Ollama
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = None


class LikelyToken(msgspec.Struct):
    """A token that might have stood there."""

    logprob: float
    bytes: list[int] | None = None


class Token(msgspec.Struct):
    """A token of the answer and how likely it was."""

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[LikelyToken] | None = None


class Logprobs(msgspec.Struct):
    """The probabilities of the tokens of an answer, or of a piece."""

    content: list[Token] | None = None


class Choice(msgspec.Struct):
    """One answer of possibly several; whole answers have a message, pieces a delta."""

    index: int | None = None
    message: Message | None = None
    delta: Message | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class Chunk(msgspec.Struct):
    """What a service sends at once."""

    choices: list[Choice] | None = None
    usage: Usage | None = None
    model: str | None = None
    error: Any = None


_decoder = msgspec.json.Decoder(Chunk)


def read_chunk(data: bytes) -> Chunk:
    """Read what a service sent.

    Raises:
        ModelResponseError: It is no JSON, or not of the shape that all services share.
    """
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        shown = data[:200].decode("utf-8", "replace")
        raise ModelResponseError(
            f"the service sent what is no chat completion ({error}): {shown!r}"
        ) from error
