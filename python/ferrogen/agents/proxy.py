"""The agent proxy: the methods of an agent by its id."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any

from ferrogen._core import AgentId, CancellationToken
from ferrogen.agents.agent_type import AgentMetadata

if TYPE_CHECKING:
    from ferrogen.runtime.protocols import AgentRuntime


class AgentProxy:
    """A proxy for an agent, given its id.

    Example:
        ```python
        import asyncio

        from ferrogen import AgentId, AgentProxy, ClosureAgent, ClosureContext, MessageContext
        from ferrogen import SingleThreadedAgentRuntime


        async def shout(agent: ClosureContext, message: str, ctx: MessageContext) -> str:
            return message.upper()


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            await ClosureAgent.register_closure(runtime, "crier", shout, description="is loud")
            runtime.start()
            crier = AgentProxy(AgentId("crier", "square"), runtime)
            assert (await crier.metadata)["description"] == "is loud"
            assert await crier.send_message("news", sender=AgentId("mayor", "town")) == "NEWS"
            await runtime.stop_when_idle()


        asyncio.run(main())
        ```

    Args:
        agent: The id of the agent.
        runtime: The runtime of the agent.
    """

    def __init__(self, agent: AgentId, runtime: AgentRuntime) -> None:
        self._agent = agent
        self._runtime = runtime

    @property
    def id(self) -> AgentId:
        """The id of the agent."""
        return self._agent

    @property
    def metadata(self) -> Awaitable[AgentMetadata]:
        """The metadata of the agent; to be awaited."""
        return self._runtime.agent_metadata(self._agent)

    async def send_message(
        self,
        message: Any,
        *,
        sender: AgentId,
        cancellation_token: CancellationToken | None = None,
        message_id: str | None = None,
    ) -> Any:
        """Send a message to the agent and wait for its response.

        Args:
            message: The message.
            sender: The agent that sends it.
            cancellation_token: Cancels the message.
            message_id: Names the message in logs and traces; generated if left out.

        Returns:
            The response.
        """
        return await self._runtime.send_message(
            message,
            recipient=self._agent,
            sender=sender,
            cancellation_token=cancellation_token,
            message_id=message_id,
        )

    async def save_state(self) -> Mapping[str, Any]:
        """Return the state of the agent, as something that JSON can hold."""
        return await self._runtime.agent_save_state(self._agent)

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore a state of the agent that `save_state` returned.

        Args:
            state: That state.
        """
        await self._runtime.agent_load_state(self._agent, state)
