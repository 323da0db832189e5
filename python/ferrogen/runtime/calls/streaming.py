"""Reading the stream of a handler that is an async generator."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from ferrogen._core import AgentId, CancellationToken
from ferrogen.exceptions import AgentNotFoundError, StreamError
from ferrogen.messaging.streams import END, StreamChannel, announce, withdraw
from ferrogen.runtime.log import log
from ferrogen.runtime.protocols import Agent, AgentRuntime
from ferrogen.telemetry.names import ROOT_LOGGER_NAME

__all__ = ["read_stream"]

_logger = logging.getLogger(ROOT_LOGGER_NAME)


async def read_stream(
    runtime: AgentRuntime,
    send: Callable[..., Coroutine[Any, Any, Any]],
    message: Any,
    agent_id: AgentId,
    *,
    cancellation_token: CancellationToken | None = None,
    message_id: str | None = None,
    **options: Any,
) -> AsyncGenerator[Any, None]:
    """Send a message, and yield the parts with which its handler responds.

    Args:
        runtime: The runtime, which has the agent.
        send: Its `send_message`, or that of an agent.
        message: The message.
        agent_id: The agent to send it to.
        cancellation_token: Cancels the stream.
        message_id: Names the message in logs and traces; generated if left out.
        **options: Further arguments of `send_message`.

    Raises:
        StreamError: The handler does not stream.
        BaseException: Whatever the generator or `send_message` raises.
    """
    getattr(runtime, "_check_open", _ignore)()
    await _require_stream(runtime, message, agent_id)
    name = str(uuid.uuid4()) if message_id is None else message_id
    channel = announce(agent_id, name)
    token = CancellationToken()
    link = _link(cancellation_token, token)
    sending = asyncio.ensure_future(
        send(message, agent_id, cancellation_token=token, message_id=name, **options)
    )
    # A reader that leaves does not look at the error of a message that is not handled.
    sending.add_done_callback(lambda done: done.cancelled() or done.exception())
    await_tasks = getattr(runtime, "_await_tasks", _ignore)
    try:
        while True:
            await_tasks([sending])
            if (part := await channel.next(sending)) is END:
                break
            yield part
        if not channel.is_served:
            raise _no_stream(agent_id, message, "no @stream handler has handled it")
    finally:
        withdraw(agent_id, name)
        if not link.done():
            link.set_result(None)
        # After a cancellation by its token, a message can end before its handler.
        if not sending.done() or channel.is_being_served:
            await _leave(channel, sending, token, f"{type(message).__name__} to {agent_id}")


def _ignore(*_: object) -> None:
    """A runtime of another kind finds no deadlocks, and reports itself that it is closed."""


async def _require_stream(runtime: AgentRuntime, message: Any, agent_id: AgentId) -> None:
    """Refuse a message whose handlers respond once, before one of them does."""
    try:
        agent: Agent = await runtime.try_get_underlying_agent_instance(agent_id)
    except AgentNotFoundError:
        return  # sending the message reports it
    handlers_of = getattr(agent, "_handlers_of", None)  # routed agents know them
    if handlers_of is not None:
        handlers = handlers_of(type(message))
        if handlers and not any(getattr(one, "is_stream", False) for one in handlers):
            names = ", ".join(getattr(one, "__name__", str(one)) for one in handlers)
            raise _no_stream(agent_id, message, f"{names} of {type(agent).__name__} responds once")


def _no_stream(agent_id: AgentId, message: Any, reason: str) -> StreamError:
    return StreamError(
        f"agent {agent_id} does not respond to {type(message).__name__} with a stream: {reason}. "
        "Decorate an async generator that takes this message with @stream, or await send_message"
    )


def _link(given: CancellationToken | None, token: CancellationToken) -> asyncio.Future[None]:
    """Let one token cancel another, until the future that is returned is done."""
    link: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    link.add_done_callback(lambda done: token.cancel() if done.cancelled() else None)
    if given is not None:
        _ = given.link_future(link)
    return link


async def _leave(
    channel: StreamChannel, sending: asyncio.Task[Any], token: CancellationToken, name: str
) -> None:
    if not channel.is_being_served:
        # The message is still queued. Its handler will find a cancelled token, and no channel.
        token.cancel()
        _ = sending.cancel()
        return
    await channel.leave()
    token.cancel()
    _ = await asyncio.wait({sending})
    error = None if sending.cancelled() else sending.exception()
    if error is not None:
        text = "the stream of %s failed after its reader had left"
        log(_logger, logging.ERROR, text, name, exc_info=error)
