"""Assembly of a response from the events of a stream."""

from __future__ import annotations

from collections.abc import Iterator

from ferrogen.exceptions import ModelResponseError
from ferrogen.models.anthropic.blocks import Block
from ferrogen.models.anthropic.events import Delta, Event, Message, Usage, read_block, read_event
from ferrogen.models.anthropic.failures import Failures
from ferrogen.models.server_sent_events import EventData


class Assembly:
    """Takes one stream, and holds the answer that it makes.

    Args:
        failures: Makes the error if the service tells of one.
        answer_tool: The tool whose arguments are the answer's text, if there is one.
    """

    def __init__(self, failures: Failures, answer_tool: str | None = None) -> None:
        self.complete = False
        """Whether the answer has come to its end."""
        self._events = EventData()
        self._failures = failures
        self._answer_tool = answer_tool
        self._begun = False
        self._model: str | None = None
        self._stop_reason: str | None = None
        self._usage = Usage()
        self._blocks: dict[int, Block] = {}
        # What is added to which field of which block; joined once, at the end.
        self._pieces: dict[tuple[int, str], list[str]] = {}

    def feed(self, piece: bytes) -> Iterator[str]:
        """Take the next bytes of the stream; yield the texts that they add to the answer.

        What comes after the end of the answer is not looked at.

        Raises:
            ModelStatusError: The service tells of an error.
            ModelResponseError: The stream cannot be read.
        """
        for data in self._events.feed(piece):
            if text := self._take(read_event(data)):
                yield text
            if self.complete:
                return

    def _take(self, event: Event) -> str:
        """Take the next event; return the text that it adds to the answer, which may be empty."""
        if event.type == "content_block_delta":
            if event.delta is None:
                raise _misfit("a piece without content")
            return self._extend(event.index, event.delta)
        if event.error is not None:
            raise self._failures.in_stream(event.error)
        if event.type == "message_start":
            self._begun = True
            self._model = event.message.model if event.message else None
            self._count(event.message.usage if event.message else None)
        elif event.type == "content_block_start":
            if event.content_block is None or event.index in self._blocks:
                raise _misfit(f"block {event.index} without content, or for the second time")
            self._blocks[event.index] = event.content_block
            if text := read_block(event.content_block).text:
                self._add(event.index, "text", text)
            return text
        elif event.type == "message_delta":
            self._stop_reason = (event.delta and event.delta.stop_reason) or self._stop_reason
            self._count(event.usage)
        elif event.type == "message_stop":
            if not self._begun:
                raise _misfit("an end without a beginning")
            self.complete = True
        return ""

    @property
    def usage(self) -> Usage | None:
        """What was counted so far; None if the answer has not begun."""
        return self._usage if self._begun else None

    @property
    def words(self) -> str:
        """What was written so far, thoughts and arguments among it."""
        return "".join(piece for pieces in self._pieces.values() for piece in pieces)

    def finish(self) -> Message:
        """Give the answer.

        Raises:
            ModelResponseError: The stream ended before the answer did.
        """
        if not self.complete:
            raise ModelResponseError("the stream ended before the model's answer was complete")
        for (index, field), pieces in self._pieces.items():
            self._blocks[index][field] = "".join(pieces)
        content = [self._blocks[index] for index in sorted(self._blocks)]
        return Message(content, self._model, self._stop_reason, self._usage)

    def _extend(self, index: int, delta: Delta) -> str:
        block = self._blocks.get(index)
        if block is None:
            raise _misfit(f"a piece of block {index}, which has not begun")
        if delta.type == "text_delta":
            self._add(index, "text", delta.text)
            return delta.text
        if delta.type == "input_json_delta":
            self._add(index, "input", delta.partial_json)
            return delta.partial_json if block.get("name") == self._answer_tool else ""
        if delta.type == "thinking_delta":
            self._add(index, "thinking", delta.thinking)
        elif delta.type == "signature_delta":
            self._add(index, "signature", delta.signature)
        return ""

    def _add(self, index: int, field: str, piece: str) -> None:
        self._pieces.setdefault((index, field), []).append(piece)

    def _count(self, usage: Usage | None) -> None:
        """Take over counts; they are of all tokens so far, so that the last one holds."""
        for field in Usage.__struct_fields__:
            if (count := getattr(usage, field, None)) is not None:
                setattr(self._usage, field, count)


def _misfit(what: str) -> ModelResponseError:
    return ModelResponseError(f"the model's stream cannot be read: it has {what}")
