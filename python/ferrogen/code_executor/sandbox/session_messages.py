"""The messages between a session and its program, each a line of JSON.

What the program sends is not trusted: a line that is malformed is ignored, and one that is too long
is not kept.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

_SUFFIXES = {"image/png": "png", "image/jpeg": "jpg"}


class Request(msgspec.Struct):
    """Code to run.

    Args:
        number: Distinguishes it from other requests.
        code: The code.
    """

    number: int
    code: str


class Ready(msgspec.Struct, tag="ready", tag_field="kind"):
    """The program has started."""


class Picture(msgspec.Struct, tag="picture", tag_field="kind"):
    """Code has displayed a picture.

    Args:
        type: The kind of the picture.
        data: The picture, which JSON has in base64.
    """

    type: Literal["image/png", "image/jpeg"]
    data: bytes

    @property
    def suffix(self) -> str:
        """The ending of its file's name."""
        return _SUFFIXES[self.type]


class Done(msgspec.Struct, tag="done", tag_field="kind"):
    """The code of a request has ended.

    Args:
        request: The number of the request.
        failed: Whether it has raised an exception.
        exits: Whether it ends the session.
    """

    request: int
    failed: bool
    exits: bool = False


class Oversized(msgspec.Struct):
    """A line was too long.

    Args:
        size: Its length in bytes.
    """

    size: int


Event = Ready | Picture | Done | Oversized

_decode = msgspec.json.Decoder(Ready | Picture | Done).decode
_encode = msgspec.json.Encoder().encode


def encode_request(number: int, code: str) -> bytes:
    """Return the line of a request."""
    # A model may write half of a surrogate pair.
    text = code.encode(errors="replace").decode()
    return _encode(Request(number, text)) + b"\n"


class EventDecoder:
    """Decodes what arrives in parts.

    Args:
        most_bytes: The longest line that is kept.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._line = bytearray()
        self._size = 0

    def decode(self, data: bytes) -> Iterator[Event]:
        """Yield the events that are complete with some more data."""
        *ends, rest = data.split(b"\n")
        for end in ends:
            self._add(end)
            line, size = self._line, self._size
            self._line, self._size = bytearray(), 0
            if size > self._most_bytes:
                yield Oversized(size)
            elif line:
                try:
                    yield _decode(line)
                except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
                    continue
        self._add(rest)

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._most_bytes:
            self._line.clear()
        else:
            self._line += part
