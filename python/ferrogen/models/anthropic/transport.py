"""One HTTP exchange with Anthropic's API.

The SDK finds keys and addresses, connects, and repeats what failed before an answer began. The
request's fields are not its business: its own methods refuse fields that it does not know, or no
longer knows, such as ``temperature``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from ferrogen._core import CancellationToken
from ferrogen.exceptions import ModelRequestError
from ferrogen.models.anthropic.failures import Failures
from ferrogen.models.anthropic.sdk import anthropic, httpx2
from ferrogen.models.interruption import Interruption

DRAIN_SECONDS = 1.0
"""How long a complete answer's connection is read to its end, so that it can be used again."""


class Exchange:
    """An answer that is coming in.

    Args:
        response: The answer, of which only the head was read.
        interruption: Ends the waiting for it.
    """

    def __init__(self, response: httpx2.Response, interruption: Interruption) -> None:
        self._pieces = response.aiter_bytes()
        self._interruption = interruption

    async def read(self) -> bytes | None:
        """Wait for the next bytes; None when there are no more."""
        self._interruption.raise_if_cancelled()
        try:
            return await self._interruption.of(anext(self._pieces))
        except StopAsyncIteration:
            return None

    async def read_all(self) -> bytes:
        """Wait for all bytes."""
        pieces: list[bytes] = []
        while (piece := await self.read()) is not None:
            pieces.append(piece)
        return b"".join(pieces)

    async def drain(self) -> None:
        """Read the end of an answer that is complete, so that its connection can be used again."""
        with suppress(httpx2.HTTPError, asyncio.TimeoutError):
            # Else the connection is closed, and the answer is as good.
            await asyncio.wait_for(self.read_all(), DRAIN_SECONDS)


@asynccontextmanager
async def exchange(
    client: anthropic.AsyncAnthropic,
    body: Mapping[str, Any],
    options: Mapping[str, Any],
    token: CancellationToken | None,
    failures: Failures,
) -> AsyncIterator[Exchange]:
    """Send a request and give what comes back; whichever way it is left, the connection is let go.

    Args:
        client: Whom to send it through.
        body: The request.
        options: What the SDK takes beside the body: headers, query, timeout.
        token: Closes the connection when it is cancelled.
        failures: Makes errors ours.

    Raises:
        ModelRequestError: The request cannot be written.
        ModelError: The kinds of it, if there is no answer or it breaks off.
        asyncio.CancelledError: The token was cancelled.
    """
    with Interruption(token) as interruption, failures.typed():
        request = client.post(  # type: ignore[call-overload]
            "/v1/messages",
            cast_to=object,
            body=dict(body),
            options={**options},
            stream=True,  # of the SDK: the body of the answer is left to us
            stream_cls=anthropic.AsyncStream[object],
        )
        try:
            stream = await interruption.of(request)
        except (TypeError, ValueError) as error:
            # No key was found, or an argument has no form in JSON.
            raise ModelRequestError(f"the model cannot be asked: {error}") from None
        try:
            yield Exchange(stream.response, interruption)
        finally:
            await stream.close()
