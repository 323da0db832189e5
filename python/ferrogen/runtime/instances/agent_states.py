"""The states of agents in the store of a runtime: loaded and saved as the agents come and go."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from ferrogen._core import AgentId
from ferrogen.agents.hooks import has_state
from ferrogen.exceptions import StateStoreError
from ferrogen.runtime.log import log
from ferrogen.runtime.protocols import Agent
from ferrogen.state.store import ListableStateStore, StateStore
from ferrogen.telemetry.names import ROOT_LOGGER_NAME

__all__ = ["AgentStates", "checked_store"]

_logger = logging.getLogger(ROOT_LOGGER_NAME)


def checked_store(store: object) -> StateStore | None:
    """Validate the store of a runtime, and return it.

    Raises:
        ValueError: It is not one.
    """
    if store is None:
        return None
    if isinstance(store, StateStore) and not isinstance(store, type):
        return store
    raise ValueError(
        "state_store must be a StateStore, which has the async methods load, save and delete, or "
        f"None; got {store!r}"
    )


class AgentStates:
    """Loads and saves the states of agents. Without a store it does neither.

    Args:
        store: The store, or None.
        is_registered: Whether an agent type is registered: the store may have others, too.
    """

    def __init__(self, store: StateStore | None, is_registered: Callable[[str], bool]) -> None:
        self.store = store
        self._is_registered = is_registered
        # The agents in memory of which the store has a state: when it is empty, it is deleted.
        self._stored: set[AgentId] = set()
        # The agents that a store has which cannot list them.
        self._saved: set[AgentId] | None = None
        # The `items` of a dict are something else.
        if store is not None and (
            isinstance(store, Mapping) or not isinstance(store, ListableStateStore)
        ):
            self._saved = set()

    def keeps(self, agent: Agent) -> bool:
        """Whether an agent may have a state in the store."""
        return self.store is not None and has_state(agent)

    # One agent.

    async def restore(self, agent_id: AgentId, agent: Agent) -> None:
        """Load the state of an agent that was built, if there is one.

        Raises:
            StateStoreError: It cannot be loaded.
        """
        if self.store is None or not has_state(agent):
            return
        try:
            state = await self.store.load(agent_id)
            if state is not None:
                await agent.load_state(_mapping(state))
        except Exception as error:
            raise self._error(agent_id, "loaded from", error) from error
        if state is not None:
            self._stored.add(agent_id)

    async def save(self, agent_id: AgentId, agent: Agent) -> None:
        """Save the state of an agent that is about to be closed.

        An empty state is not written; if the store has an earlier one, that is deleted.

        Raises:
            StateStoreError: It cannot be saved.
        """
        if self.store is None or not has_state(agent):
            return
        try:
            await self._write(agent_id, _mapping(await agent.save_state()))
        except Exception as error:
            raise self._error(agent_id, "saved to", error) from error
        self._stored.discard(agent_id)

    async def put(self, agent_id: AgentId, state: Mapping[str, Any]) -> None:
        """Save a state of an agent that is not in memory.

        Raises:
            StateStoreError: It cannot be saved.
        """
        try:
            # The store may have one of which this runtime does not know.
            self._stored.add(agent_id)
            await self._write(agent_id, state)
        except Exception as error:
            raise self._error(agent_id, "saved to", error) from error
        finally:
            self._stored.discard(agent_id)

    async def keep(self, agent_id: AgentId, state: Mapping[str, Any]) -> None:
        """Save a state of an agent whose restart was interrupted, if there is a store.

        An error is logged: nothing awaits it.
        """
        if self.store is None:
            return
        try:
            await self.put(agent_id, state)
        except StateStoreError as error:
            log(_logger, logging.ERROR, "%s", error, exc_info=error)

    async def load(self, agent_id: AgentId) -> Mapping[str, Any] | None:
        """Return the state of an agent that is not in memory, if there is one.

        Raises:
            StateStoreError: It cannot be loaded.
        """
        if self.store is None:
            return None
        try:
            state = await self.store.load(agent_id)
            return None if state is None else _mapping(state)
        except Exception as error:
            raise self._error(agent_id, "loaded from", error) from error

    async def _write(self, agent_id: AgentId, state: Mapping[str, Any]) -> None:
        assert self.store is not None
        if state:
            await self.store.save(agent_id, state)
            if self._saved is not None:
                self._saved.add(agent_id)
        elif agent_id in self._stored:
            await self.store.delete(agent_id)
            if self._saved is not None:
                self._saved.discard(agent_id)

    # All agents.

    async def items(self) -> AsyncIterator[tuple[AgentId, Mapping[str, Any]]]:
        """Iterate over the states in the store whose agent types are registered here.

        Raises:
            StateStoreError: They cannot be loaded.
        """
        if self._saved is not None:
            for agent_id in list(self._saved):
                state = await self.load(agent_id)
                if state is not None:
                    yield agent_id, state
        elif isinstance(self.store, ListableStateStore):
            async for agent_id, state in self.store.items():
                if self._is_registered(agent_id.type):
                    yield agent_id, state

    def _error(self, agent_id: AgentId, what: str, error: Exception) -> StateStoreError:
        return StateStoreError(
            f"the state of agent {agent_id} cannot be {what} {self.store!r}: {error!r}",
            agent_id=agent_id,
        )


def _mapping(state: Any) -> Mapping[str, Any]:
    if not isinstance(state, Mapping):
        raise TypeError(f"the state of an agent is a mapping, not {type(state).__name__}")
    return state
