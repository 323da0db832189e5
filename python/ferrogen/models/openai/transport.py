"""One HTTP exchange with a service.

The SDK finds addresses and keys, connects, and asks again if it was told to. What it would make
of each piece of an answer is not used: reading the bytes takes a fraction of the time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

from ferrogen._core import CancellationToken
from ferrogen.exceptions import ModelRequestError, ModelResponseError
from ferrogen.models.interruption import Interruption
from ferrogen.models.openai.failures import redacted, typed_failures
from ferrogen.models.openai.sdk import openai
from ferrogen.models.server_sent_events import EventData

_DONE = b"[DONE]"
_DRAIN_SECONDS = 0.1

LARGEST_ANSWER = 64 * 1024 * 1024
"""How many bytes a whole answer may have; one without an end must not eat all memory."""


class Exchange:
    """An answer of which only the head was read.

    Args:
        response: The answer.
        interruption: Ends the waiting for it.

    Attributes:
        in_pieces: Whether it comes as a stream of events.
        complete: Whether the service said that it has told everything.
    """

    def __init__(self, response: Any, interruption: Interruption) -> None:
        self._pieces = aiter(response.aiter_bytes())
        self._interruption = interruption
        self.in_pieces = "event-stream" in response.headers.get("content-type", "")
        self.complete = False

    async def read(self) -> bytes | None:
        """Wait for the next bytes; None when there are no more."""
        self._interruption.raise_if_cancelled()
        try:
            piece: bytes = await self._interruption.of(anext(self._pieces))
        except StopAsyncIteration:
            return None
        return piece

    async def read_all(self) -> bytes:
        """Wait for all bytes.

        Raises:
            ModelResponseError: They are too many to be an answer.
        """
        pieces: list[bytes] = []
        size = 0
        while (piece := await self.read()) is not None:
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST_ANSWER:
                raise ModelResponseError(
                    f"the service sent more than {LARGEST_ANSWER} bytes; is it a model's?"
                )
        return b"".join(pieces)

    async def drain(self) -> None:
        """Read what is behind the end of an answer, so that its connection can be used again."""
        with suppress(Exception):  # then it is closed, and the answer is as good
            await asyncio.wait_for(self.read_all(), _DRAIN_SECONDS)


async def events_of(answer: Exchange) -> AsyncGenerator[bytes, None]:
    """Give the data of each event of an answer.

    A service that does not stream answers as a whole, which is given like one event.

    Raises:
        ModelResponseError: An event is too large to be one.
    """
    if not answer.in_pieces:
        yield await answer.read_all()
        answer.complete = True
        return
    events = EventData()
    while (piece := await answer.read()) is not None:
        for data in events.feed(piece):
            if data.startswith(_DONE):
                answer.complete = True
                await answer.drain()
                return
            yield data


@asynccontextmanager
async def exchange(
    client: openai.AsyncOpenAI,
    body: Mapping[str, Any],
    options: Mapping[str, Any],
    token: CancellationToken | None,
    secrets: tuple[str, ...],
) -> AsyncIterator[Exchange]:
    """Send a request and give what comes back; however it is left, the connection is let go.

    Args:
        client: Whom to send it through.
        body: The request.
        options: What the SDK takes beside it: headers, query, timeout.
        token: Closes the connection when it is cancelled.
        secrets: What must not appear in errors.

    Raises:
        ModelError: The kinds of it, if there is no answer or it breaks off.
        asyncio.CancelledError: The token was cancelled.
    """
    with Interruption(token) as interruption, typed_failures(str(body["model"]), secrets):
        try:
            stream = await interruption.of(_post(client, body, options))
        except (TypeError, ValueError) as error:
            # Something in it has no form in JSON, or in a header.
            raise ModelRequestError(
                f"the request cannot be written: {redacted(str(error), secrets)}"
            ) from None
        try:
            yield Exchange(stream.response, interruption)
        finally:
            await stream.close()


async def _post(
    client: openai.AsyncOpenAI, body: Mapping[str, Any], options: Mapping[str, Any]
) -> openai.AsyncStream[object]:
    return await client.post(
        "/chat/completions",
        cast_to=object,
        body=dict(body),
        options=cast("Any", options),
        stream=True,  # for the SDK: the body of the answer is left to us
        stream_cls=openai.AsyncStream[object],
    )
