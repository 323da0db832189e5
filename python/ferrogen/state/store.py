"""The protocol of stores for the state of agents that are not in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol, runtime_checkable

from ferrogen._core import AgentId

__all__ = ["ListableStateStore", "StateStore"]


@runtime_checkable
class StateStore(Protocol):
    """Where the state of agents is kept while they are not in memory.

    A runtime with ``state_store=...`` saves the state of an agent before the agent is passivated
    or closed, and loads it when the agent is built again. The methods are called on the event loop
    and must not block it. What they raise is reported, and the call is repeated later.

    Example:
        ```python
        import asyncio
        from collections.abc import Mapping
        from typing import Any

        from ferrogen import AgentId, SingleThreadedAgentRuntime, StateStore


        class PrintingStore:
            def __init__(self) -> None:
                self.states: dict[AgentId, Mapping[str, Any]] = {}

            async def load(self, agent_id: AgentId) -> Mapping[str, Any] | None:
                print("load", agent_id)
                return self.states.get(agent_id)

            async def save(self, agent_id: AgentId, state: Mapping[str, Any]) -> None:
                print("save", agent_id)
                self.states[agent_id] = state

            async def delete(self, agent_id: AgentId) -> None:
                print("delete", agent_id)
                self.states.pop(agent_id, None)


        async def main() -> None:
            store = PrintingStore()
            assert isinstance(store, StateStore)
            runtime = SingleThreadedAgentRuntime(state_store=store)
            assert runtime.state_store is store
            await runtime.close()


        asyncio.run(main())
        ```
    """

    async def load(self, agent_id: AgentId) -> Mapping[str, Any] | None:
        """Return the state that was saved last, or None if there is none.

        Args:
            agent_id: The agent.
        """
        ...

    async def save(self, agent_id: AgentId, state: Mapping[str, Any]) -> None:
        """Keep a state, in place of the one that was saved before.

        Args:
            agent_id: The agent.
            state: The return value of its `save_state`.
        """
        ...

    async def delete(self, agent_id: AgentId) -> None:
        """Remove a state, if there is one: the agent has none any more.

        Args:
            agent_id: The agent.
        """
        ...


@runtime_checkable
class ListableStateStore(StateStore, Protocol):
    """A `StateStore` that can list the states that it has.

    `runtime.save_state()` needs the list. Of a store without this method the runtime remembers
    the ids of the agents that it has saved, which takes memory for each of them.

    Example:
        ```python
        import asyncio

        from ferrogen import AgentId, InMemoryStateStore, ListableStateStore


        async def main() -> None:
            store: ListableStateStore = InMemoryStateStore()
            await store.save(AgentId("counter", "ada"), {"count": 3})
            states = [(str(agent_id), state) async for agent_id, state in store.items()]
            assert states == [("counter/ada", {"count": 3})]


        asyncio.run(main())
        ```
    """

    def items(self) -> AsyncIterator[tuple[AgentId, Mapping[str, Any]]]:
        """Iterate over the agents that have a state, and their states, in any order."""
        ...
