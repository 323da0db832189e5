"""One HTTP exchange with a model service, whole or streamed.

An SDK, or an HTTP client, sends the request. The response is read as bytes, because a few fields
of each event are needed, and creating the SDK's models of all others takes most of the time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

from ferrogen._core import CancellationToken
from ferrogen.exceptions import ModelRequestError, ModelResponseError
from ferrogen.models.interruption import Interruption
from ferrogen.models.providers._errors import Failures
from ferrogen.models.providers._sse import BYTE_ORDER_MARK, EventParser, ServerEvent

LARGEST_BODY = 64 * 1024 * 1024
"""How many bytes a whole response may have; one without an end must not use up all memory."""

DRAIN_SECONDS = 1.0
"""How long a complete response is read to its end, so that its connection can be used again."""

_DONE = b"[DONE]"
_EVENT_STREAM = ("event-stream", "ndjson", "jsonl", "json-seq")
_BEGINNINGS_OF_EVENTS = (b"data:", b"event:", b"id:", b"retry:", b"error:", b":")
_LONGEST_BEGINNING = 6


class Response(Protocol):
    """A response of which only the head was read."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The fields of its head."""

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Iterate over the body."""

    async def aclose(self) -> None:
        """Close the connection, or return it to the pool if the body was read."""


class Connection(Protocol):
    """Sends requests, through one connection pool."""

    async def post(
        self, path: str, body: Mapping[str, Any], options: Mapping[str, Any]
    ) -> Response:
        """Send a request, and return the response before its body is read."""

    async def close(self) -> None:
        """Close the pool."""


class Exchange:
    """A response that is being read.

    Args:
        response: The response.
        interruption: Ends the waiting for it.

    Attributes:
        complete: Whether the service said that the response is complete, or it came as a whole.
    """

    def __init__(self, response: Response, interruption: Interruption) -> None:
        self._pieces = aiter(response.aiter_bytes())
        self._interruption = interruption
        self._content_type = response.headers.get("content-type", "")
        self.complete = False

    async def events(self) -> AsyncGenerator[ServerEvent, None]:
        """Yield the events of the response; a whole body is one event.

        The body decides which of them it is: some services stream without being asked to, others
        do not stream, and some do not declare the content type.

        Raises:
            ModelResponseError: An event or the body is too large.
        """
        beginning = await self._beginning()
        if not self._is_stream(beginning):
            body = beginning + await self._rest(len(beginning))
            self.complete = True
            yield ServerEvent(body.strip().removeprefix(BYTE_ORDER_MARK).strip())
            return
        parser = EventParser()
        piece: bytes | None = beginning
        while piece is not None:
            for event in parser.feed(piece):
                if event.data.strip() == _DONE:
                    self.complete = True
                    await self.drain()
                    return
                yield event
            piece = await self._read()
        for event in parser.end():
            if event.data.strip() == _DONE:
                self.complete = True
                return
            yield event

    async def drain(self) -> None:
        """Read the end of a complete response, so that its connection can be used again."""
        with suppress(Exception):  # else the connection is closed, and the response is as good
            await asyncio.wait_for(self._rest(0), DRAIN_SECONDS)

    async def _read(self) -> bytes | None:
        self._interruption.raise_if_cancelled()
        try:
            return await self._interruption.of(anext(self._pieces))
        except StopAsyncIteration:
            return None

    async def _beginning(self) -> bytes:
        """Read until it is certain what kind of body it is."""
        beginning = b""
        while len(_without_mark(beginning)) < _LONGEST_BEGINNING:
            piece = await self._read()
            if piece is None:
                break
            beginning += piece
        return beginning

    def _is_stream(self, beginning: bytes) -> bool:
        if any(kind in self._content_type for kind in _EVENT_STREAM):
            return True
        return _without_mark(beginning).startswith(_BEGINNINGS_OF_EVENTS)

    async def _rest(self, size: int) -> bytes:
        pieces: list[bytes] = []
        piece: bytes | None = b""
        while piece is not None:
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST_BODY:
                raise ModelResponseError(
                    f"the service sent more than {LARGEST_BODY} bytes; check that it is a model "
                    "service"
                )
            piece = await self._read()
        return b"".join(pieces)


@asynccontextmanager
async def exchange(
    connection: Connection,
    path: str,
    body: Mapping[str, Any],
    options: Mapping[str, Any],
    token: CancellationToken | None,
    failures: Failures,
) -> AsyncIterator[Exchange]:
    """Send a request and yield the response; the connection is released on any exit.

    Args:
        connection: Sends it.
        path: The path of the method.
        body: The request.
        options: Options of the connection: headers, query, timeout.
        token: Closes the connection when it is cancelled.
        failures: Types the errors.

    Raises:
        ModelRequestError: The request cannot be written.
        ModelError: There is no response, or it broke off; its subclasses say why.
        asyncio.CancelledError: The token was cancelled.
    """
    with Interruption(token) as interruption, failures.typed():
        try:
            response = await interruption.of(connection.post(path, body, options))
        except (TypeError, ValueError) as error:
            # A value has no form in JSON or in a header, or the SDK found no key.
            raise ModelRequestError(
                f"the request cannot be written: {failures.redact(str(error))}"
            ) from None
        try:
            yield Exchange(response, interruption)
        finally:
            await response.aclose()


def _without_mark(beginning: bytes) -> bytes:
    return beginning.removeprefix(BYTE_ORDER_MARK).lstrip()
