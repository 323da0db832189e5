"""Access to the agents of a runtime: ids, instances, metadata, saved state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ferrogen._core import AgentId
from ferrogen.agents.agent_type import AgentMetadata, AgentType
from ferrogen.runtime.instances.agent_table import not_registered
from ferrogen.runtime.protocols import Agent, AgentRuntime
from ferrogen.runtime.state import load_state

if TYPE_CHECKING:
    from ferrogen._core import Engine
    from ferrogen.runtime.failures.supervisor import Supervisor
    from ferrogen.runtime.instances.agent_states import AgentStates
    from ferrogen.runtime.instances.agent_table import AgentTable
    from ferrogen.runtime.instances.building import Builder
    from ferrogen.runtime.instances.passivation import Passivator
    from ferrogen.runtime.lifecycle.lifecycle import Lifecycle

T = TypeVar("T", bound=Agent)

_type = type  # parameters named `type` are part of the API, and hide the built-in


class AgentAccess(AgentRuntime):
    """The methods of a runtime that build, return or restore agents."""

    _agents: AgentTable
    _builder: Builder
    _engine: Engine
    _lifecycle: Lifecycle
    _passivator: Passivator
    _states: AgentStates
    _supervisor: Supervisor

    async def try_get_underlying_agent_instance(
        self,
        id: AgentId,
        type: type[T] = Agent,  # type: ignore[assignment]
    ) -> T:
        """Return the agent itself, building it if it does not exist.

        Args:
            id: The id of the agent.
            type: The class that the agent must have.

        Raises:
            AgentNotFoundError: If nothing is registered under its type.
            TypeError: If it has another class.
        """
        if not self._agents.is_registered(id.type):
            raise not_registered(id)
        agent = await self._obtain(id)
        if not isinstance(agent, type):
            # AutoGen's words, which programs match on.
            raise TypeError(
                f"Agent with name {id.type} is not of type {type.__name__}. "
                f"It is of type {_type(agent).__name__}"
            )
        return agent

    @overload
    async def get(self, id: AgentId, /, *, lazy: bool = ...) -> AgentId: ...
    @overload
    async def get(
        self, type: AgentType | str, /, key: str = ..., *, lazy: bool = ...
    ) -> AgentId: ...
    async def get(
        self, id_or_type: AgentId | AgentType | str, /, key: str = "default", *, lazy: bool = True
    ) -> AgentId:
        """Return the id of an agent.

        Args:
            id_or_type: The id itself, or the agent type.
            key: The agent key, if the type is given.
            lazy: Whether the agent may be built later, by its first message.

        Raises:
            AgentNotFoundError: If it is to be built and nothing is registered under its type.
        """
        agent_id = id_or_type if isinstance(id_or_type, AgentId) else AgentId(id_or_type, key)
        if not lazy:
            await self._obtain(agent_id)
        return agent_id

    async def agent_metadata(self, agent: AgentId) -> AgentMetadata:
        """Return the metadata of an agent, building it if it does not exist."""
        return (await self._obtain(agent)).metadata

    async def _obtain(self, agent_id: AgentId) -> Agent:
        self._lifecycle.enter_loop()
        return await self._builder.obtain(agent_id)

    def _instance(self, agent_id: AgentId) -> Agent | None:
        return self._supervisor.current(agent_id, self._engine.instance(agent_id))

    def _instances(self) -> Iterator[tuple[AgentId, Agent]]:
        for agent_id, agent in self._engine.instances():
            current = self._supervisor.current(agent_id, agent)
            if current is not None:
                yield agent_id, current

    # State.

    async def save_state(self) -> Mapping[str, Any]:
        """Return the state of every agent that is in memory or in the `state_store`, by its id.

        Of a store, the states of registered agent types are included. The mapping can be written
        as JSON if the agents' states can.

        Raises:
            StateStoreError: A state cannot be loaded from the store.
        """
        states: dict[str, Any] = {}
        present = [agent_id for agent_id, _ in self._engine.instances()]
        for agent_id in (*present, *self._passivator.agents):
            state = await self._state_of(agent_id)
            if state is not None:
                states[str(agent_id)] = dict(state)
        async for agent_id, stored in self._states.items():
            if str(agent_id) not in states:
                state = await self._state_of(agent_id, stored)
                states[str(agent_id)] = dict(stored if state is None else state)
        return states

    async def _state_of(
        self, agent_id: AgentId, stored: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any] | None:
        await self._passivator.wait_for(agent_id)
        instance = self._engine.instance(agent_id)
        if instance is not None:
            with self._passivator.hold(agent_id):
                agent = await self._supervisor.settled(agent_id, instance)
                # An agent that was stopped has no state, unless the store has one.
                if agent is not None:
                    return await agent.save_state()
        return await self._states.load(agent_id) if stored is None else stored

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore the state of every agent, building those that do not exist.

        With a `state_store`, those that do not exist are not built: their states are saved there.

        Raises:
            StateStoreError: A state cannot be saved to the store.
            StateError: If the state has an unknown version, a wrong shape, or an agent with a
                type that is not registered. In that case no agent was changed.
        """
        await load_state(state, is_registered=self._agents.is_registered, restore=self._restore)

    async def _restore(self, agent_id: AgentId, state: Mapping[str, Any]) -> None:
        self._lifecycle.enter_loop()
        await self._passivator.wait_for(agent_id)
        is_stored = (
            self._states.store is not None
            and self._instance(agent_id) is None
            and not self._builder.is_building(agent_id)
            and not self._agents.has_instances(agent_id.type)
        )
        if is_stored:
            await self._states.put(agent_id, state)
        else:
            await self.agent_load_state(agent_id, state)

    async def agent_save_state(self, agent: AgentId) -> Mapping[str, Any]:
        """Return the state of one agent, building it if it does not exist."""
        with self._passivator.hold(agent):
            return await (await self._obtain(agent)).save_state()

    async def agent_load_state(self, agent: AgentId, state: Mapping[str, Any]) -> None:
        """Restore the state of one agent, building it if it does not exist."""
        with self._passivator.hold(agent):
            await (await self._obtain(agent)).load_state(state)
