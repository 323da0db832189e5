"""The agent protocol: the interface that a runtime calls."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ferrogen._core import AgentId
from ferrogen.agents.metadata import AgentMetadata
from ferrogen.messaging.message_context import MessageContext

if TYPE_CHECKING:
    from ferrogen.runtime.protocol import AgentRuntime


@runtime_checkable
class Agent(Protocol):
    """The interface of an agent that a runtime calls. Most agents inherit it from `BaseAgent`.

    Example:
        ```python
        from ferrogen import Agent


        def introduce(agent: Agent) -> str:
            return f"{agent.id}: {agent.metadata['description']}"
        ```
    """

    @property
    def metadata(self) -> AgentMetadata:
        """The type, key and description of the agent."""
        ...

    @property
    def id(self) -> AgentId:
        """The id of the agent."""
        ...

    async def bind_id_and_runtime(self, id: AgentId, runtime: "AgentRuntime") -> None:
        """Bind the agent to its id and its runtime.

        Args:
            id: The id.
            runtime: The runtime.
        """
        ...

    async def on_message(self, message: Any, ctx: MessageContext) -> Any:
        """Handle a message. Called by the runtime only, never by another agent.

        Args:
            message: The message.
            ctx: Its context.

        Returns:
            The response, or None.

        Raises:
            asyncio.CancelledError: The message was cancelled.
            CantHandleException: The agent cannot handle this message.
        """
        ...

    async def save_state(self) -> Mapping[str, Any]:
        """Return the state of the agent, as a JSON-serializable mapping."""
        ...

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore a state that `save_state` returned.

        Args:
            state: That state.
        """
        ...

    async def close(self) -> None:
        """Release the resources of the agent; called when the runtime closes."""
        ...
