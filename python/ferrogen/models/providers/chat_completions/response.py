"""Responses of every service with OpenAI's chat API, whole or streamed, as results.

A whole response and each event of a stream are read by the same code, so that both agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ferrogen.exceptions import ModelResponseError
from ferrogen.models.providers._error_bodies import error_in, error_instead_of, parse_error
from ferrogen.models.providers._errors import Failures
from ferrogen.models.providers._outcome import (
    ReportedUsage,
    count,
    finish_reason,
    is_failure,
    optional_count,
    part,
)
from ferrogen.models.providers._sse import ServerEvent
from ferrogen.models.providers._tool_calls import ProviderData, WireNames
from ferrogen.models.providers.chat_completions.choice import Choice
from ferrogen.models.providers.chat_completions.reasoning import without_reasoning
from ferrogen.models.results import CreateResult
from ferrogen.models.usage import DetailedUsage


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


def read_chunk(data: bytes) -> Any:
    """Decode a response or an event; services leave out fields, and write others.

    Raises:
        ModelResponseError: It is not JSON.
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(data, str(error)) from error


def unreadable(data: bytes, reason: str) -> ModelResponseError:
    """Make the error for a response that cannot be read."""
    shown = data[:200].decode("utf-8", "replace")
    return ModelResponseError(
        f"the service sent something other than a chat completion ({reason}): {shown!r}"
    )


_ERROR_NAMES = frozenset({"error", "exception"})
_KEEP_ALIVE_NAMES = frozenset({"ping", "heartbeat", "keep-alive", "keepalive"})


class ChatResponse:
    """Collects a response, event by event.

    Args:
        family: The family of the model.
        names: The names of the tools of the request.
        failures: Makes the errors that the service reports.
        data: Keeps what the service requires back.
        warned: The kinds of unknown parts that a warning was logged for.

    Attributes:
        begun: Whether a part of a response arrived.
        complete: Always false: what ends a response is the end of its events.
        model: The model that responds, as the service reports it.
        usage: The usage reported so far.
    """

    complete = False

    def __init__(
        self,
        family: str,
        names: WireNames,
        failures: Failures,
        data: ProviderData,
        warned: set[str],
    ) -> None:
        self._family = family
        self._names = names
        self._failures = failures
        self._data = data
        self._warned = warned
        self._choices: dict[int, Choice] = {}
        self._held: list[str] = []
        self.begun = False
        self.model: str | None = None
        self.usage = ReportedUsage()

    @property
    def ended(self) -> bool:
        """Whether the service gave a reason why the response ends."""
        return any(choice.finish_reason for choice in self._choices.values())

    def take(self, event: ServerEvent) -> list[str]:
        """Take the next event, or a whole response; return the text that it adds.

        Raises:
            ModelError: The service reports an error in it.
            ModelResponseError: It is not a part of a chat completion.
        """
        if event.name in _KEEP_ALIVE_NAMES:
            return []
        body = self._decoded(event)
        if event.name in _ERROR_NAMES:
            raise self._failures.convert(error_in(body) or parse_error(body))
        if isinstance(body, list) and len(body) == 1:
            body = body[0]  # Google wraps errors in a list
        if body is None:
            return []
        if not isinstance(body, dict):
            raise unreadable(event.data, "it is not an object")
        if (error := error_in(body)) is not None:
            raise self._failures.convert(error)
        return self._body(body, event.data)

    def finish(self) -> list[str]:
        """Return the text that was held back, once there are no more events."""
        first = self._first()
        return [] if first is None or first is self._choices.get(0) else first.shown

    def text(self) -> str:
        """Return all that the model wrote, to count its tokens."""
        return "".join(choice.written() for choice in self._choices.values())

    def result(self, usage: DetailedUsage) -> CreateResult:
        """Make the result.

        Args:
            usage: The usage of the request.

        Raises:
            ModelResponseError: There is no response.
        """
        first = self._first()
        if first is None:
            raise ModelResponseError("the service's response has no choices")
        others = [choice for choice in self._choices.values() if choice is not first]
        # Some services put the text and the calls of one response into two choices.
        calling = next((choice for choice in [first, *others] if choice.calls), None)
        if calling is not None:
            return self._calls(calling, first, others, usage)
        reason = finish_reason(first.finish_reason)
        text, thought = first.text, first.thought or None
        content = text
        if first.refusal and not text:
            content, reason = first.refusal, "content_filter"
        elif thought is None:
            thought, content = without_reasoning(text, self._family)
        return CreateResult(
            finish_reason=reason,
            content=content,
            usage=usage,
            cached=False,
            logprobs=first.logprobs(),
            thought=thought,
        )

    def _calls(
        self, calling: Choice, first: Choice, others: list[Choice], usage: DetailedUsage
    ) -> CreateResult:
        speaking = next((choice for choice in [calling, first, *others] if choice.text), calling)
        calls = calling.calls.finished()
        data = calling.calls.data()
        if message := {**speaking.data, **calling.data}:
            data[0] = {**data[0], "message": {"content": speaking.text, **message}}
        self._data.keep(calls, data)
        reason = finish_reason(calling.finish_reason or first.finish_reason)
        if reason not in ("length", "content_filter"):
            reason = "function_calls"
        return CreateResult(
            finish_reason=reason,
            content=calls,
            usage=usage,
            cached=False,
            logprobs=first.logprobs(),
            thought=speaking.text or calling.thought or first.thought or None,
        )

    def _first(self) -> Choice | None:
        """Return the choice that is the response."""
        return self._choices[min(self._choices)] if self._choices else None

    def _body(self, body: dict[str, Any], data: bytes) -> list[str]:
        choices = body.get("choices")
        choices = [choices] if isinstance(choices, dict) else choices or []
        if not isinstance(choices, list) or not all(isinstance(each, dict) for each in choices):
            raise unreadable(data, "its choices are not a list of objects")
        if isinstance(model := body.get("model"), str):
            self.model = model
        if reports_usage(body, choices):
            self.usage.merge(usage_in(body, choices))
        if not choices and (error := error_instead_of(body)) is not None:
            raise self._failures.convert(error)
        shown: list[str] = []
        taken: set[int] = set()
        for position, fields in enumerate(choices):
            index = _index(fields, position)
            if index in taken and "delta" not in fields:  # two whole choices are never one
                index = max(self._choices) + 1
            taken.add(index)
            choice = self._choices.get(index)
            if choice is None:
                choice = self._choices[index] = Choice(self._names, self._warned)
            self.begun = True
            pieces = choice.take(fields)
            if index == 0:
                shown += pieces
            self._raise_failure(fields)
        return shown

    def _raise_failure(self, fields: dict[str, Any]) -> None:
        """Raise if a choice was cut by an error."""
        reason, error = fields.get("finish_reason"), fields.get("error")
        if not error:
            message = fields.get("delta") or fields.get("message")
            error = message.get("error") if isinstance(message, dict) else None
        if not error and not (isinstance(reason, str) and is_failure(reason)):
            return
        words = f"finish reason {reason!r}"
        if native := fields.get("native_finish_reason"):
            words += f" ({native!r} of the provider behind it)"
        reported = parse_error(error) if error else parse_error({"type": reason, "message": words})
        if error and reason:
            reported = reported._replace(reason=f"{words}: {reported.reason}")
        raise self._failures.convert(reported)

    def _decoded(self, event: ServerEvent) -> Any:
        data = event.data.strip()
        if not data:
            return {"message": "the service gave no reason"} if event.name in _ERROR_NAMES else None
        try:
            return read_chunk(data)
        except ModelResponseError:
            if event.name in _ERROR_NAMES:
                return data.decode("utf-8", "replace")
            raise


def _index(fields: dict[str, Any], position: int) -> int:
    index = fields.get("index")
    return index if isinstance(index, int) and index >= 0 else position
