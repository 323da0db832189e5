"""Streams of parts, from a handler that is an async generator to the reader that requested them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

from ferrogen._core import AgentId
from ferrogen.messaging.message_context import MessageContext

__all__ = ["END", "StreamChannel", "announce", "has_parts", "requested", "withdraw"]

END: Final = object()
"""The mark after the last part."""


class StreamChannel:
    """The parts of one stream. The generator is advanced when the reader asks for a part.

    A handler serves the generator, in its own task, and a reader reads.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._has_left = False
        self.has_parts = False
        """Whether the reader has got a part: then the message cannot be handled again."""
        self._demand: asyncio.Future[None] | None = None
        self._part: asyncio.Future[Any] | None = None
        self._advancing: asyncio.Task[Any] | None = None
        self._closed: asyncio.Future[None] | None = None

    @property
    def is_served(self) -> bool:
        """Whether a handler serves the stream, or has served it."""
        return self._closed is not None

    @property
    def is_being_served(self) -> bool:
        """Whether a handler serves the stream now."""
        return self._closed is not None and not self._closed.done()

    # The handler.

    async def serve(self, generator: AsyncGenerator[Any, None]) -> None:
        """Advance a generator as the reader asks for parts, and close it at the end.

        Raises:
            BaseException: Whatever the generator raises.
        """
        self._closed = self._loop.create_future()
        try:
            await self._advance(generator)
        finally:
            try:
                await generator.aclose()
            finally:
                self._closed.set_result(None)

    async def _advance(self, generator: AsyncGenerator[Any, None]) -> None:
        task = asyncio.current_task()
        while await self._is_demanded():
            self._advancing = task
            try:
                part = await generator.__anext__()
            except StopAsyncIteration:
                return
            except asyncio.CancelledError:
                if not self._has_left:
                    raise
                return
            finally:
                self._advancing = None
            self._give(part)

    async def _is_demanded(self) -> bool:
        """Wait until the reader asks for a part. Whether it does, and has not left."""
        if not self._is_awaited() and not self._has_left:
            self._demand = self._loop.create_future()
            try:
                await self._demand
            finally:
                self._demand = None
        return not self._has_left

    def _is_awaited(self) -> bool:
        return self._part is not None and not self._part.done()

    def _give(self, part: Any) -> None:
        if self._part is not None and not self._part.done():
            self.has_parts = True
            self._part.set_result(part)

    # The reader.

    async def next(self, send: asyncio.Task[Any]) -> Any:
        """Ask for a part, and wait for it.

        Args:
            send: The message, which ends with the handler.

        Returns:
            The part, or `END`.

        Raises:
            BaseException: Whatever the message raises.
        """
        if not send.done():
            self._part = self._loop.create_future()
            self._wake_handler()
            _ = await asyncio.wait({self._part, send}, return_when=asyncio.FIRST_COMPLETED)
            if self._part.done():
                return self._part.result()
        send.result()
        return END

    async def leave(self) -> None:
        """Ask for no more parts, and wait until the generator is closed.

        The handler is cancelled if the generator is computing a part.
        """
        self._has_left = True
        self._wake_handler()
        if self._advancing is not None:
            _ = self._advancing.cancel()
        if self._closed is not None:
            await asyncio.shield(self._closed)

    def _wake_handler(self) -> None:
        if self._demand is not None and not self._demand.done():
            self._demand.set_result(None)


_channels: dict[tuple[AgentId, str], StreamChannel] = {}
"""The streams that are being read, by recipient and message id."""


def announce(agent_id: AgentId, message_id: str) -> StreamChannel:
    """Create the channel of a message that is about to be sent.

    Raises:
        ValueError: A message with this id is in flight to the agent.
    """
    if (agent_id, message_id) in _channels:
        raise ValueError(
            f"message id {message_id!r} is in use by another stream from {agent_id}: pass another "
            "one, or leave it out"
        )
    channel = _channels[agent_id, message_id] = StreamChannel()
    return channel


def requested(agent_id: AgentId, message_id: str) -> StreamChannel | None:
    """Return the channel of a message that is being handled, if its sender reads a stream."""
    return _channels.get((agent_id, message_id))


def has_parts(agent_id: AgentId, ctx: MessageContext) -> bool:
    """Whether the sender of a message has read a part of its response."""
    if not _channels:
        return False
    channel = _channels.get((agent_id, ctx.message_id))
    return channel is not None and channel.has_parts


def withdraw(agent_id: AgentId, message_id: str) -> None:
    """Forget the channel of a message whose reader has left."""
    _ = _channels.pop((agent_id, message_id), None)
