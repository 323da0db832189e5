"""The handler around an async generator: it serves the stream that the sender reads."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from ferrogen.exceptions import StreamError
from ferrogen.messaging.message_context import MessageContext
from ferrogen.messaging.streams import requested

__all__ = ["served"]


def served(
    func: Callable[..., Any],
) -> Callable[[Any, Any, MessageContext], Coroutine[Any, Any, None]]:
    """Turn an async generator into a handler that runs as long as its stream is read."""

    @wraps(func)
    async def serve(self: Any, message: Any, ctx: MessageContext) -> None:
        channel = requested(self.id, ctx.message_id)
        if channel is not None and not channel.is_being_served:
            await channel.serve(func(self, message, ctx))
        elif not ctx.cancellation_token.is_cancelled():  # else the reader has left already
            raise StreamError(
                f"agent {self.id} responds to {type(message).__name__} with a stream: read it with "
                "runtime.stream(...), or in an agent with self.stream(...), instead of sending the "
                "message"
            )

    return serve
