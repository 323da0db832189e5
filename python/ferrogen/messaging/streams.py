"""Streams of parts, from a handler that is an async generator to the reader that requested them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

from ferrogen._core import AgentId

__all__ = ["END", "StreamChannel", "announce", "take", "withdraw"]

END: Final = object()
"""The mark after the last part."""


class StreamChannel:
    """The parts of one stream. The generator is advanced when the reader asks for a part.

    A handler serves the generator, in its own task, and a reader reads.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._has_left = False
        self._is_wanted = False
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
        if not self._is_wanted and not self._has_left:
            self._demand = self._loop.create_future()
            try:
                await self._demand
            finally:
                self._demand = None
        self._is_wanted = False
        return not self._has_left

    def _give(self, part: Any) -> None:
        if self._part is not None and not self._part.done():
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
            self._is_wanted = True
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
"""The streams that were requested and that no handler serves yet, by recipient and message id."""


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


def take(agent_id: AgentId, message_id: str) -> StreamChannel | None:
    """Return the channel of a message that is being handled, once."""
    return _channels.pop((agent_id, message_id), None)


def withdraw(agent_id: AgentId, message_id: str) -> None:
    """Forget the channel of a message that no handler has taken."""
    _ = _channels.pop((agent_id, message_id), None)
