"""The context of a running handler: the id of its agent, and the number of the attempt."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ferrogen._core import AgentId, Chain

# At module level, so that the extension can set it without a context manager.
MESSAGE_HANDLER_CONTEXT: ContextVar[AgentId] = ContextVar("MESSAGE_HANDLER_CONTEXT")
CHAIN_CONTEXT: ContextVar[Chain | None] = ContextVar("CHAIN_CONTEXT")
# The inboxes of the runtime whose handler runs.
INBOXES_CONTEXT: ContextVar[Any] = ContextVar("INBOXES_CONTEXT")
HANDLER_ATTEMPT: ContextVar[int] = ContextVar("HANDLER_ATTEMPT", default=1)
CONVERSATION: ContextVar[str] = ContextVar("ferrogen_conversation")
"""The name that `ferrogen.models.usage.conversation` gives to the current conversation."""


class MessageHandlerContext:
    """The id of the agent that is handling a message, for code inside its handler.

    Example:
        ```python
        import asyncio

        from ferrogen import ClosureAgent, ClosureContext, MessageContext, MessageHandlerContext
        from ferrogen import AgentId, SingleThreadedAgentRuntime


        async def who_am_i(agent: ClosureContext, message: str, ctx: MessageContext) -> str:
            return str(MessageHandlerContext.agent_id())


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            await ClosureAgent.register_closure(runtime, "mirror", who_am_i)
            runtime.start()
            assert await runtime.send_message("?", AgentId("mirror", "hall")) == "mirror/hall"
            await runtime.stop_when_idle()


        asyncio.run(main())
        ```
    """

    def __init__(self) -> None:
        raise RuntimeError(
            "MessageHandlerContext cannot be instantiated: "
            "call its class methods inside a message handler"
        )

    @classmethod
    @contextmanager
    def populate_context(cls, ctx: AgentId) -> Generator[None, Any, None]:
        """Set the agent that handles messages inside a ``with`` block; for runtimes.

        Args:
            ctx: The id of the agent.
        """
        token = MESSAGE_HANDLER_CONTEXT.set(ctx)
        try:
            yield
        finally:
            MESSAGE_HANDLER_CONTEXT.reset(token)

    @classmethod
    def agent_id(cls) -> AgentId:
        """Get the id of the agent whose handler is running.

        Returns:
            The id of that agent.

        Raises:
            RuntimeError: Called outside a handler.
        """
        try:
            return MESSAGE_HANDLER_CONTEXT.get()
        except LookupError as error:
            raise RuntimeError(
                "MessageHandlerContext.agent_id() works only while a message handler runs"
            ) from error

    @classmethod
    def attempt(cls) -> int:
        """Get the number of the attempt that the running handler is: 1, unless it is retried.

        Returns:
            How often the handler has been called with this message, this call included.
        """
        return HANDLER_ATTEMPT.get()
