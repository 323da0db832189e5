"""Responses of Anthropic's API, whole or streamed, as results.

A whole response and the events of a stream are collected into the same blocks, so that both agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ferrogen.exceptions import ModelResponseError
from ferrogen.messaging.function_call import FunctionCall
from ferrogen.models.providers._error_bodies import error_in, error_instead_of, parse_error
from ferrogen.models.providers._errors import Failures
from ferrogen.models.providers._outcome import ReportedUsage, count, optional_count, part
from ferrogen.models.providers._sse import ServerEvent
from ferrogen.models.providers._tool_calls import CallIds, ProviderData, WireNames
from ferrogen.models.providers.anthropic.blocks import Block, text_blocks
from ferrogen.models.results import CreateResult, FinishReasons
from ferrogen.models.usage import DetailedUsage

_FINISH_REASONS: dict[str, FinishReasons] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "stop": "stop",
    "max_tokens": "length",
    "length": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "function_calls",
    "refusal": "content_filter",
    "sensitive": "content_filter",
}
_COUNTS = (
    *("input_tokens", "output_tokens"),
    *("cache_read_input_tokens", "cache_creation_input_tokens"),
)
# What a delta adds, and to which field of its block.
_FIELDS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("partial_json", "input"),
}


class MessageResponse:
    """Collects a response, event by event.

    Args:
        names: The names of the tools of the request.
        failures: Makes the errors that the service reports.
        data: Keeps what the service requires back.
        answer_tool: The tool whose arguments are the text of the response, if there is one.
        on_calls: Called with the calls of the response.

    Attributes:
        begun: Whether the response has begun.
        complete: Whether it has come to its end.
        model: The model that responds, as the service reports it.
    """

    def __init__(
        self,
        names: WireNames,
        failures: Failures,
        data: ProviderData,
        answer_tool: str | None = None,
        on_calls: Callable[[Sequence[FunctionCall]], None] = lambda calls: None,
    ) -> None:
        self._names = names
        self._failures = failures
        self._data = data
        self._answer_tool = answer_tool
        self._on_calls = on_calls
        self._blocks: dict[int, Block] = {}
        # What is added to which field of which block; joined once, at the end.
        self._pieces: dict[tuple[int, str], list[str]] = {}
        self._stop_reason: str | None = None
        self._counts = Counter[str]()
        self.begun = False
        self.complete = False
        self.model: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the service gave a reason why the response ends; some send no last event."""
        return self.complete or self._stop_reason is not None

    @property
    def usage(self) -> ReportedUsage:
        """The reported usage; before the end it lacks the tokens of the response."""
        counts = self._counts
        cached, written = counts["cache_read_input_tokens"], counts["cache_creation_input_tokens"]
        prompt = counts.get("input_tokens")
        return ReportedUsage(
            # The API counts tokens that the cache took part in separately.
            None if prompt is None else prompt + cached + written,
            counts.get("output_tokens") if self.ended else None,
            cached=cached,
            cache_write=written,
            reasoning=counts["thinking"],
        )

    def take(self, event: ServerEvent) -> list[str]:
        """Take the next event, or a whole response; return the text that it adds.

        Raises:
            ModelError: The service reports an error in it.
            ModelResponseError: It cannot be read.
        """
        body = self._decoded(event)
        error = error_in(body) or (parse_error(body) if event.name == "error" else None)
        if error is not None:
            raise self._failures.convert(error._replace(status=error.status or 500))
        if not isinstance(body, dict) or not isinstance(body.get("type", ""), str):
            raise _unreadable("it is not an event", event.data)
        kind = body.get("type") or ("message" if "content" in body else "")
        if kind == "content_block_delta":
            return self._extend(body, event.data)
        if kind == "message_start":
            self._begin(part(body, "message"))
        elif kind == "message":
            return self._whole(body, event.data)
        elif kind == "content_block_start":
            return self._open(body, event.data)
        elif kind == "message_delta":
            reason = part(body, "delta").get("stop_reason")
            self._stop_reason = reason if isinstance(reason, str) else self._stop_reason
            self._count(body)
        elif kind == "message_stop":
            if not self.begun:
                raise _unreadable("it ends before it begins", event.data)
            self.complete = True
        elif not kind and (instead := error_instead_of(body)) is not None:
            raise self._failures.convert(instead)
        return []

    def finish(self) -> list[str]:
        """Return nothing: no text is held back."""
        return []

    def text(self) -> str:
        """Return all that the model wrote, thoughts and arguments included."""
        blocks = "".join(
            str(block.get(field) or "")
            for block in self._blocks.values()
            for field in ("text", "thinking", "input")
        )
        return blocks + "".join(piece for pieces in self._pieces.values() for piece in pieces)

    def result(self, usage: DetailedUsage) -> CreateResult:
        """Make the result.

        Args:
            usage: The usage of the request.

        Raises:
            ModelResponseError: There is no complete response.
        """
        if not self.ended:
            raise ModelResponseError("the response ended before the model's output was complete")
        blocks = self._finished()
        thinking = [str(block.get("thinking") or "") for block in _of(blocks, "thinking")]
        said = "".join(str(block.get("text") or "") for block in _of(blocks, "text"))
        outputs, calls, ids = [], [], CallIds()
        for block in _of(blocks, "tool_use"):
            arguments, name = _arguments(block.get("input")), str(block.get("name") or "")
            if name == self._answer_tool:
                outputs.append(arguments)
            else:
                block["id"] = ids.distinct(str(block.get("id") or ""))
                calls.append(FunctionCall(block["id"], arguments, self._names.tool(name)))
        reason = _FINISH_REASONS.get(self._stop_reason or "", "unknown")
        content: str | list[FunctionCall] = calls
        thoughts = [*thinking, said]  # what is said beside calls has no other place in a result
        if calls:
            kept = {"blocks": self._kept(blocks)} if len(blocks) > len(calls) else {}
            self._data.keep(calls, [kept, *({} for _ in calls[1:])])
            self._on_calls(calls)
        else:
            content = outputs[0] if outputs else said
            thoughts = thoughts if outputs else thinking
            reason = "stop" if reason == "function_calls" else reason
        return CreateResult(
            finish_reason=reason,
            content=content,
            usage=usage,
            cached=False,
            thought="\n\n".join(thought for thought in thoughts if thought) or None,
        )

    def _whole(self, body: Mapping[str, Any], data: bytes) -> list[str]:
        content = body.get("content")
        if not isinstance(content, list) or not all(isinstance(each, dict) for each in content):
            raise _unreadable("its content is not a list of blocks", data)
        self._begin(body)
        shown: list[str] = []
        for index, block in enumerate(content):
            shown += self._open({"index": index, "content_block": block}, data)
        reason = body.get("stop_reason")
        self._stop_reason = reason if isinstance(reason, str) else None
        self.complete = True
        return shown

    def _begin(self, message: Mapping[str, Any]) -> None:
        self.begun = True
        self.model = message["model"] if isinstance(message.get("model"), str) else None
        self._count(message)

    def _open(self, body: Mapping[str, Any], data: bytes) -> list[str]:
        index, block = body.get("index", 0), body.get("content_block")
        if not isinstance(block, dict) or not isinstance(index, int) or index in self._blocks:
            raise _unreadable("a block has no content, or begins twice", data)
        if not isinstance(block.get("type"), str) or not isinstance(block.get("text", ""), str):
            raise _unreadable("a block has no type, or no text", data)
        self._blocks[index] = dict(block)
        text = block.get("text")
        return [text] if block["type"] == "text" and text else []

    def _extend(self, body: Mapping[str, Any], data: bytes) -> list[str]:
        index, delta = body.get("index", 0), body.get("delta")
        block = self._blocks.get(index) if isinstance(index, int) else None
        if block is None or not isinstance(delta, dict):
            raise _unreadable("a piece belongs to no block, or has no content", data)
        given, field = _FIELDS.get(str(delta.get("type")), ("", ""))
        piece = delta.get(given)
        if not given or not isinstance(piece, str):
            return []
        self._pieces.setdefault((index, field), []).append(piece)
        is_answer = field == "input" and block.get("name") == self._answer_tool
        return [piece] if piece and (field == "text" or is_answer) else []

    def _finished(self) -> list[Block]:
        for (index, field), pieces in self._pieces.items():
            before = self._blocks[index].get(field)
            text = before if isinstance(before, str) else ""
            self._blocks[index][field] = text + "".join(pieces)
        self._pieces.clear()
        return [self._blocks[index] for index in sorted(self._blocks)]

    def _kept(self, blocks: list[Block]) -> list[Block]:
        """Return the blocks to send back: no blank text, and of calls their places only."""
        kept: list[Block] = []
        for block in blocks:
            if block["type"] == "tool_use":
                if block.get("name") != self._answer_tool:
                    kept.append({"type": "tool_use", "id": block.get("id")})
            elif block["type"] != "text" or text_blocks(block.get("text")):
                kept.append(block)
        return kept

    def _count(self, fields: Mapping[str, Any]) -> None:
        """Take over counts; each is of all tokens so far, so that the last one holds."""
        usage = part(fields, "usage")
        for name in _COUNTS:
            if (number := optional_count(usage.get(name))) is not None:
                self._counts[name] = number
        details = part(usage, "output_tokens_details")
        self._counts["thinking"] = count(details.get("thinking_tokens")) or self._counts["thinking"]

    @staticmethod
    def _decoded(event: ServerEvent) -> Any:
        try:
            return msgspec.json.decode(event.data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if event.name == "error":
                return event.data.decode("utf-8", "replace")
            raise _unreadable(str(error), event.data) from error


def _of(blocks: list[Block], kind: str) -> list[Block]:
    return [block for block in blocks if block["type"] == kind]


def _arguments(value: Any) -> str:
    """Return arguments as JSON; those that were streamed stay as the model wrote them."""
    if isinstance(value, str):
        return value or "{}"
    return msgspec.json.encode({} if value is None else value).decode()


def _unreadable(reason: str, data: bytes) -> ModelResponseError:
    start = data[:80].decode("utf-8", "replace")
    return ModelResponseError(
        f"the model's response cannot be read: {reason}; it begins with {start!r}"
    )
