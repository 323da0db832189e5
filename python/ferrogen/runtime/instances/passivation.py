"""Passivation: idle agents are saved and closed, and built again by their next message."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context

from ferrogen._core import AgentId, Engine
from ferrogen.agents.hooks import deactivate
from ferrogen.exceptions import StateStoreError
from ferrogen.runtime.failures.supervisor import Supervisor
from ferrogen.runtime.instances.agent_states import AgentStates
from ferrogen.runtime.instances.agent_table import AgentTable, close_logged
from ferrogen.runtime.log import log
from ferrogen.runtime.protocols import Agent
from ferrogen.telemetry.names import ROOT_LOGGER_NAME

__all__ = ["Passivator"]

_logger = logging.getLogger(ROOT_LOGGER_NAME)

_RETRY_AFTER = 1.0
_MOST_RETRY_AFTER = 60.0
_HELD_AGAIN = 0.01


class Passivator:
    """Saves and closes the agents that the engine passivates. Their messages wait meanwhile.

    Args:
        agents: Has the options of agent types.
        states: Saves the states.
        supervisor: Has the present instances.
        context: Returns the context in which the runtime was started.
        is_closed: Whether the runtime is closed: then it closes the agents itself.
    """

    engine: Engine
    rebuild: Callable[[AgentId], object]

    def __init__(
        self,
        agents: AgentTable,
        states: AgentStates,
        supervisor: Supervisor,
        context: Callable[[], Context],
        is_closed: Callable[[], bool],
    ) -> None:
        self._agents = agents
        self._states = states
        self._supervisor = supervisor
        self._context = context
        self.is_closed = is_closed
        self._tasks: dict[AgentId, asyncio.Task[None]] = {}
        self._held: Counter[AgentId] = Counter()
        # How often in succession an agent in memory could not be saved.
        self._failures: dict[AgentId, int] = {}

    def begin(self, agent_id: AgentId, agent: Agent) -> None:
        """Passivate an agent, of which the engine has had this instance."""
        if self.is_closed():
            self.engine.stay_awake(agent_id, agent, retry_after=None)
            return
        if agent_id in self._held:
            self.engine.stay_awake(agent_id, agent, retry_after=_HELD_AGAIN)
            return
        work = self._passivate(agent_id, agent)
        create_task = asyncio.get_running_loop().create_task
        self._tasks[agent_id] = self._context().copy().run(create_task, work)

    @contextmanager
    def hold(self, agent_id: AgentId) -> Iterator[None]:
        """Keep an agent in memory while the runtime uses it without a message."""
        self._held[agent_id] += 1
        try:
            yield
        finally:
            self._held[agent_id] -= 1
            if not self._held[agent_id]:
                del self._held[agent_id]

    @property
    def agents(self) -> list[AgentId]:
        """The agents that are being saved or closed."""
        return list(self._tasks)

    async def wait_for(self, agent_id: AgentId) -> None:
        """Wait while an agent is being saved or closed."""
        while (task := self._tasks.get(agent_id)) is not None:
            if task is asyncio.current_task():
                return  # the agent itself asks
            _ = await asyncio.wait({task})

    async def finish(self) -> None:
        """Wait for all agents that are being saved or closed."""
        while self._tasks:
            _ = await asyncio.wait(set(self._tasks.values()))

    async def end(self, agent_id: AgentId, agent: Agent) -> list[Exception]:
        """Save and close an agent of a runtime that closes, and return the errors."""
        errors: list[Exception] = []
        try:
            if not self._agents.has_instances(agent_id.type):
                await self._states.save(agent_id, agent)
        except StateStoreError as error:
            errors.append(error)
        try:
            await deactivate(agent)
        except Exception as error:  # noqa: BLE001 - it is raised later, if it is the first
            errors.append(error)
        return errors

    async def _passivate(self, agent_id: AgentId, agent: Agent) -> None:
        instance: Agent | None = None
        try:
            instance = await self._supervisor.settled(agent_id, agent)
            if instance is not None:
                await self._states.save(agent_id, instance)
        except GeneratorExit:
            raise  # the event loop is gone
        except BaseException as error:
            del self._tasks[agent_id]
            delay = self._note_failure(agent_id, error)
            self.engine.stay_awake(agent_id, agent, retry_after=delay)
            if not isinstance(error, Exception):
                raise
            return
        self._failures.pop(agent_id, None)
        self._supervisor.forget(agent_id)
        try:
            if instance is not None:
                await close_logged(agent_id, instance)
        finally:
            del self._tasks[agent_id]
            if self.engine.passivated(agent_id):
                self.rebuild(agent_id)

    def _note_failure(self, agent_id: AgentId, error: BaseException) -> float:
        """Report the first failure in succession. Return the seconds until the next attempt."""
        failures = self._failures[agent_id] = self._failures.get(agent_id, 0) + 1
        first = self._agents.options(agent_id.type).passivate_after or _RETRY_AFTER
        delay = min(first * 2.0 ** min(failures - 1, 60), max(first, _MOST_RETRY_AFTER))
        log(
            _logger,
            logging.ERROR if failures == 1 else logging.DEBUG,
            "agent %s could not be passivated and stays in memory; the next attempt follows when "
            "it has been idle for %.3f s",
            agent_id,
            delay,
            exc_info=error,
        )
        return delay
