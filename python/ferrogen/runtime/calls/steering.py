"""Steering: handlers that run are cancelled, or get messages meanwhile."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ferrogen._core import AgentId, Chain
from ferrogen.messaging.handler_context import CHAIN_CONTEXT, INBOXES_CONTEXT
from ferrogen.messaging.inbox import Inbox

if TYPE_CHECKING:
    from ferrogen._core import Engine

__all__ = ["Inboxes", "Steering", "current_inbox"]


class Inboxes:
    """The inboxes of the handlers that run.

    Args:
        engine: The engine of the runtime.
    """

    def __init__(self, engine: Engine) -> None:
        # The contexts of handlers refer to this, and the engine to contexts.
        self._engine = weakref.ref(engine)
        self._by_delivery: dict[int, Inbox] = {}

    def of_agent(self, agent_id: AgentId) -> list[Inbox]:
        """Return the inboxes of the handlers that run in an agent."""
        engine = self._engine()
        if engine is None:
            return []
        kept = self._by_delivery.items()
        self._by_delivery = {number: inbox for number, inbox in kept if engine.runs(number)}
        return [self._of(number) for number in engine.running_in(agent_id)]

    def current(self) -> Inbox:
        """Return the inbox of the handler that runs in the current task."""
        engine = self._engine()
        number = None if engine is None else engine.current_delivery
        return Inbox() if number is None else self._of(number)

    def _of(self, number: int) -> Inbox:
        return self._by_delivery.setdefault(number, Inbox())


def current_inbox() -> Inbox:
    """Return the inbox of the running handler; an empty one elsewhere, as in tasks of its own."""
    inboxes: Inboxes | None = INBOXES_CONTEXT.get(None)
    return Inbox() if inboxes is None else inboxes.current()


class Steering:
    """The steering methods of a runtime."""

    _engine: Engine
    _inboxes: Inboxes

    @contextmanager
    def chain(self) -> Iterator[Chain]:
        """Make a chain of the messages that are sent in the block, and of those that follow.

        `cancel` cancels them together. Chains nest; a message belongs to the innermost one.

        Returns:
            A context manager, which gives the chain.

        Example:
            ```python
            from ferrogen import AgentId, SingleThreadedAgentRuntime


            async def ask(runtime: SingleThreadedAgentRuntime) -> None:
                with runtime.chain() as chain:
                    await runtime.publish_message("go", AgentId("writer", "1"))
                runtime.cancel(chain)
            ```
        """
        chain = Chain(CHAIN_CONTEXT.get(None))
        token = CHAIN_CONTEXT.set(chain)
        try:
            yield chain
        finally:
            CHAIN_CONTEXT.reset(token)

    def cancel(self, target: AgentId | Chain) -> int:
        """Cancel handlers that run, and all that they have called: agents, tools, and so on.

        A handler gets an `asyncio.CancelledError` at its `await`, and so does who awaits its
        response. Messages that it has sent and that are still queued become dead letters. The
        messages of a chain that are sent later are refused with a `MessageCancelledError`; an agent
        that was cancelled handles its next messages.

        Args:
            target: An agent, for its running handlers; or a chain, for all its messages.

        Returns:
            How many running handlers were meant, without those that they have called.

        Raises:
            TypeError: `target` is neither.
        """
        if isinstance(target, AgentId):
            return self._engine.cancel_agent(target)
        if isinstance(target, Chain):
            return self._engine.cancel_chain(target)
        raise TypeError(f"cancel takes an AgentId or a Chain, not {target!r}")

    def steer(self, message: Any, agent_id: AgentId) -> int:
        """Put a message into the inboxes of the handlers that run in an agent.

        They find it in `ctx.inbox` after their next `await`. It overtakes all queued messages, and
        needs no handler for its type.

        Args:
            message: The message.
            agent_id: The agent.

        Returns:
            How many handlers have got it: 0 if none runs, and then the message is not kept.

        Example:
            See `Inbox`.
        """
        if not isinstance(agent_id, AgentId):
            raise TypeError(f"steer takes an AgentId, not {agent_id!r}")
        inboxes = self._inboxes.of_agent(agent_id)
        for inbox in inboxes:
            inbox.put(message)
        return len(inboxes)
