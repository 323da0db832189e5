"""The context of a factory call: the runtime and the id of the agent being built."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ferrogen._core import AgentId
from ferrogen.runtime.protocols import AgentRuntime

AGENT_INSTANTIATION_CONTEXT: ContextVar[tuple[AgentRuntime, AgentId]] = ContextVar(
    "AGENT_INSTANTIATION_CONTEXT"
)


class AgentInstantiationContext:
    """The runtime and the id of the agent being built, for factories and constructors.

    Example:
        ```python
        import asyncio

        from ferrogen import AgentId, AgentInstantiationContext, MessageContext, RoutedAgent
        from ferrogen import SingleThreadedAgentRuntime, message_handler


        class Clerk(RoutedAgent):
            def __init__(self) -> None:
                self.shop = AgentInstantiationContext.current_agent_id().key
                super().__init__(f"takes orders for {self.shop}")

            @message_handler
            async def on_order(self, order: str, ctx: MessageContext) -> str:
                return f"{order} for {self.shop}"


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            await runtime.register_factory("clerk", Clerk)
            runtime.start()
            response = await runtime.send_message("tea", AgentId("clerk", "shop-7"))
            assert response == "tea for shop-7"
            await runtime.stop_when_idle()


        asyncio.run(main())
        ```
    """

    def __init__(self) -> None:
        raise RuntimeError(
            "AgentInstantiationContext cannot be instantiated: "
            "call its class methods while an agent is being built"
        )

    @classmethod
    @contextmanager
    def populate_context(cls, ctx: tuple[AgentRuntime, AgentId]) -> Generator[None, Any, None]:
        """Set the runtime and the agent id inside a ``with`` block; for runtimes.

        Args:
            ctx: The runtime, and the id of the agent.
        """
        token = AGENT_INSTANTIATION_CONTEXT.set(ctx)
        try:
            yield
        finally:
            AGENT_INSTANTIATION_CONTEXT.reset(token)

    @classmethod
    def current_runtime(cls) -> AgentRuntime:
        """Get the runtime that an agent is being built for.

        Returns:
            The runtime.

        Raises:
            RuntimeError: Called outside a factory.
        """
        return cls._current("current_runtime")[0]

    @classmethod
    def current_agent_id(cls) -> AgentId:
        """Get the id that the agent being built will have.

        Returns:
            The id.

        Raises:
            RuntimeError: Called outside a factory.
        """
        return cls._current("current_agent_id")[1]

    @classmethod
    def is_in_factory_call(cls) -> bool:
        """Whether the code runs in a factory that a runtime called."""
        return AGENT_INSTANTIATION_CONTEXT.get(None) is not None

    @classmethod
    def _current(cls, asked: str) -> tuple[AgentRuntime, AgentId]:
        try:
            return AGENT_INSTANTIATION_CONTEXT.get()
        except LookupError as error:
            raise RuntimeError(
                f"AgentInstantiationContext.{asked}() works only in a factory that a runtime "
                "calls: register the agent and let the runtime build it, instead of calling its "
                "class directly"
            ) from error
