"""The agent protocol owns what a runtime expects of an agent; most get it from `BaseAgent`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ferrogen._agents.metadata import AgentMetadata
from ferrogen._core import AgentId
from ferrogen._messaging.message_context import MessageContext

if TYPE_CHECKING:
    from ferrogen._runtime.protocol import AgentRuntime


@runtime_checkable
class Agent(Protocol):
    """What a runtime expects of an agent. Most agents inherit it from `BaseAgent`.

    Example:
        ```python
        from ferrogen import Agent


        def introduce(agent: Agent) -> str:
            return f"{agent.id}: {agent.metadata['description']}"
        ```
    """

    @property
    def metadata(self) -> AgentMetadata:
        """What may be known of the agent without talking to it."""
        ...

    @property
    def id(self) -> AgentId:
        """The address of the agent."""
        ...

    async def bind_id_and_runtime(self, id: AgentId, runtime: "AgentRuntime") -> None:
        """Tell the agent its address and the runtime it lives in.

        Args:
            id: The address.
            runtime: The runtime.
        """
        ...

    async def on_message(self, message: Any, ctx: MessageContext) -> Any:
        """Handle a message. Called by the runtime only, never by another agent.

        Args:
            message: The message.
            ctx: What comes with it.

        Returns:
            The answer, or None.

        Raises:
            asyncio.CancelledError: The message was cancelled.
            CantHandleException: The agent cannot handle this message.
        """
        ...

    async def save_state(self) -> Mapping[str, Any]:
        """Return the state of the agent, as something that JSON can hold."""
        ...

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a state that `save_state` returned.

        Args:
            state: That state.
        """
        ...

    async def close(self) -> None:
        """Let go of what the agent holds; called when the runtime closes."""
        ...
