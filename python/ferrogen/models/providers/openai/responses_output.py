"""Responses of OpenAI's Responses API, whole or streamed, as results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ferrogen.exceptions import ModelResponseError
from ferrogen.messaging.function_call import FunctionCall
from ferrogen.models.providers._error_bodies import error_in, parse_error
from ferrogen.models.providers._errors import Failures
from ferrogen.models.providers._outcome import ReportedUsage, finish_reason, part
from ferrogen.models.providers._sse import ServerEvent
from ferrogen.models.providers._tool_calls import CallIds, ProviderData, WireNames
from ferrogen.models.providers.chat_completions.content import content_of
from ferrogen.models.providers.chat_completions.response import usage_in
from ferrogen.models.results import CreateResult, FinishReasons
from ferrogen.models.usage import DetailedUsage

_SHOWN = ("response.output_text.delta", "response.refusal.delta")
_ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")


class ResponsesOutput:
    """Collects a response: the text to show from its deltas, the result from its last event.

    Args:
        names: The names of the tools of the request.
        failures: Makes the errors that the service reports.
        data: Keeps the reasoning that is sent back with calls.

    Attributes:
        begun: Whether the response has begun.
        complete: Whether it has come to its end.
        ended: Always false: only its last event ends a response.
        model: The model that responds, as the service reports it.
        usage: The reported usage.
    """

    ended = False

    def __init__(self, names: WireNames, failures: Failures, data: ProviderData) -> None:
        self._names = names
        self._failures = failures
        self._data = data
        self._items: list[Mapping[str, Any]] = []
        self._written: list[str] = []
        self._reason: FinishReasons = "stop"
        self.begun = False
        self.complete = False
        self.model: str | None = None
        self.usage = ReportedUsage()

    def take(self, event: ServerEvent) -> list[str]:
        """Take the next event, or a whole response; return the text that it adds.

        Raises:
            ModelError: The service reports an error in it.
            ModelResponseError: It cannot be read.
        """
        try:
            body = msgspec.json.decode(event.data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            shown = event.data[:200].decode("utf-8", "replace")
            raise ModelResponseError(f"the response cannot be read ({error}): {shown!r}") from error
        if (reported := error_in(body)) is not None or event.name == "error":
            raise self._failures.convert(reported or parse_error(body))
        if not isinstance(body, dict):
            raise ModelResponseError(f"the response cannot be read: {body!r:.200}")
        kind, delta = body.get("type"), body.get("delta")
        if isinstance(kind, str) and kind.endswith(".delta") and isinstance(delta, str):
            self.begun = True
            self._written.append(delta)
            return [delta] if kind in _SHOWN and delta else []
        if kind == "response.output_item.done":
            self._items.append(part(body, "item"))
        elif kind in _ENDS or body.get("object") == "response":
            return self._end(part(body, "response") or body, streamed=kind in _ENDS)
        return []

    def finish(self) -> list[str]:
        """Return nothing: no text is held back."""
        return []

    def text(self) -> str:
        """Return all that the model wrote."""
        return "".join(self._written)

    def result(self, usage: DetailedUsage) -> CreateResult:
        """Make the result.

        Args:
            usage: The usage of the request.

        Raises:
            ModelResponseError: There is no complete response.
        """
        if not self.complete:
            raise ModelResponseError("the response ended before the model's output was complete")
        messages = [content_of(item, set()) for item in self._of("message")]
        text = "".join(message.text for message in messages)
        refusal = "".join(message.refusal for message in messages)
        reasoning = self._of("reasoning")
        thought = "\n\n".join(
            words for item in reasoning if (words := content_of({"thinking": item}, set()).thought)
        )
        ids = CallIds()
        calls = [self._call(item, ids) for item in self._of("function_call")]
        if calls:
            kept = [item for item in self._items if item.get("type") in ("reasoning", "message")]
            self._data.keep(calls, [{"items": kept} if reasoning else {}, *({} for _ in calls[1:])])
        reason = self._reason
        if calls and reason == "stop":
            reason = "function_calls"
        return CreateResult(
            finish_reason="content_filter" if refusal and not text else reason,
            content=calls or text or refusal,
            usage=usage,
            cached=False,
            thought=(text if calls else "") or thought or None,
        )

    def _end(self, response: Mapping[str, Any], *, streamed: bool) -> list[str]:
        self.begun = True
        self.model = response["model"] if isinstance(response.get("model"), str) else None
        self.usage.merge(usage_in(response))
        status = response.get("status")
        if error := response.get("error"):
            raise self._failures.convert(parse_error(error))
        if status in ("failed", "cancelled"):
            raise self._failures.convert(parse_error({"message": f"status {status!r}"}))
        output = response.get("output")
        if isinstance(output, list) and output:
            self._items = [item for item in output if isinstance(item, dict)]
        if status == "incomplete":
            reason = part(response, "incomplete_details").get("reason")
            self._reason = finish_reason(reason if isinstance(reason, str) else None)
        self.complete = status not in ("queued", "in_progress")
        if streamed:
            return []
        contents = [content_of(item, set()) for item in self._of("message")]
        shown = [message.text or message.refusal for message in contents]
        self._written += shown
        return [text for text in shown if text]

    def _of(self, kind: str) -> list[Mapping[str, Any]]:
        return [item for item in self._items if item.get("type") == kind]

    def _call(self, item: Mapping[str, Any], ids: CallIds) -> FunctionCall:
        arguments = item.get("arguments")
        return FunctionCall(
            id=ids.distinct(str(item.get("call_id") or item.get("id") or "")),
            arguments=arguments if isinstance(arguments, str) and arguments.strip() else "{}",
            name=self._names.tool(str(item.get("name") or "")),
        )
