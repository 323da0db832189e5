"""A state store in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from copy import deepcopy
from typing import Any

from ferrogen._core import AgentId

__all__ = ["InMemoryStateStore"]


class InMemoryStateStore:
    """A `StateStore` that keeps copies of the states in memory, as long as it exists.

    It can be used by several runtimes, one after the other, and for tests.

    Example:
        ```python
        import asyncio

        from ferrogen import AgentId, InMemoryStateStore


        async def main() -> None:
            store = InMemoryStateStore()
            ada = AgentId("counter", "ada")
            await store.save(ada, {"count": 3})
            assert await store.load(ada) == {"count": 3}
            await store.delete(ada)
            assert await store.load(ada) is None
            assert len(store) == 0


        asyncio.run(main())
        ```
    """

    def __init__(self) -> None:
        self._states: dict[tuple[str, str], dict[str, Any]] = {}

    async def load(self, agent_id: AgentId) -> Mapping[str, Any] | None:
        """Return a copy of the state that was saved last, or None if there is none.

        Args:
            agent_id: The agent.
        """
        return deepcopy(self._states.get((agent_id.type, agent_id.key)))

    async def save(self, agent_id: AgentId, state: Mapping[str, Any]) -> None:
        """Keep a copy of a state, in place of the one that was saved before.

        Args:
            agent_id: The agent.
            state: Its state.

        Raises:
            TypeError: The state has a part that cannot be copied.
        """
        self._states[agent_id.type, agent_id.key] = deepcopy(dict(state))

    async def delete(self, agent_id: AgentId) -> None:
        """Remove a state, if there is one.

        Args:
            agent_id: The agent.
        """
        self._states.pop((agent_id.type, agent_id.key), None)

    async def items(self) -> AsyncIterator[tuple[AgentId, Mapping[str, Any]]]:
        """Iterate over the agents that have a state now, and copies of their states."""
        for (agent_type, key), state in list(self._states.items()):
            yield AgentId(agent_type, key), deepcopy(state)

    def __len__(self) -> int:
        return len(self._states)
