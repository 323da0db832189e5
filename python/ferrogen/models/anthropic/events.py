"""Decoding of responses and stream events."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from ferrogen.exceptions import ModelResponseError

# What is not named here is not looked at: the API adds fields, and kinds of blocks and events.


class OutputDetails(msgspec.Struct):
    """What the tokens of an answer were spent on."""

    thinking_tokens: float | None = None


class Usage(msgspec.Struct):
    """The tokens that were counted, in so far as they were."""

    input_tokens: float | None = None
    output_tokens: float | None = None
    cache_read_input_tokens: float | None = None
    cache_creation_input_tokens: float | None = None
    output_tokens_details: OutputDetails | None = None


class Fault(msgspec.Struct):
    """An error, as the API tells it."""

    type: str = "api_error"
    message: str = ""


class Message(msgspec.Struct):
    """An answer in full; at the start of a stream, one without content."""

    content: list[dict[str, Any]]
    model: str | None = None
    stop_reason: str | None = None
    usage: Usage | None = None


class Delta(msgspec.Struct):
    """A piece that is added to a block, or to the message itself."""

    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
    stop_reason: str | None = None


class Event(msgspec.Struct):
    """One event of a stream; which fields it has, its type says."""

    type: str = ""
    index: int = 0
    message: Message | None = None
    content_block: dict[str, Any] | None = None
    delta: Delta | None = None
    usage: Usage | None = None
    error: Fault | None = None


class Block(msgspec.Struct):
    """The parts of a block that are read, whatever kind it is of."""

    type: str
    text: str = ""
    thinking: str = ""
    id: str = ""
    name: str = ""
    input: Any = None


_Read = TypeVar("_Read")
_EVENTS = msgspec.json.Decoder(Event)
_MESSAGES = msgspec.json.Decoder(Message)


def read_event(data: bytes) -> Event:
    """Read the data of one event.

    Raises:
        ModelResponseError: It is no JSON, or not of an event's shape.
    """
    return _read(_EVENTS, data)


def read_message(data: bytes) -> Message:
    """Read an answer that was not streamed.

    Raises:
        ModelResponseError: It is no JSON, or not of an answer's shape.
    """
    return _read(_MESSAGES, data)


def read_block(content: dict[str, Any]) -> Block:
    """Read a block that is complete.

    Raises:
        ModelResponseError: It is not of a block's shape.
    """
    try:
        return msgspec.convert(content, Block)
    except msgspec.ValidationError as error:
        raise ModelResponseError(f"the model's answer cannot be read: {error}") from error


def _read(decoder: msgspec.json.Decoder[_Read], data: bytes) -> _Read:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        start = data[:80].decode("utf-8", "replace")
        raise ModelResponseError(
            f"the model's answer cannot be read: {error}; it begins with {start!r}"
        ) from error
