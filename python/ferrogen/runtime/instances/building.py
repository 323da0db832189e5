"""Agent construction: calls factories, at most once at a time for each agent (A1)."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Generator
from contextvars import Context, copy_context
from functools import partial
from typing import Any

from ferrogen._core import AgentId, Engine
from ferrogen.agents.hooks import has_activation
from ferrogen.runtime.failures.supervisor import Supervisor
from ferrogen.runtime.instances.agent_states import AgentStates
from ferrogen.runtime.instances.agent_table import AgentTable, close_logged, not_registered
from ferrogen.runtime.instances.passivation import Passivator
from ferrogen.runtime.observer import Observer
from ferrogen.runtime.protocols import Agent

__all__ = ["Builder"]


class Builder:
    """Builds agents by their factories, and reports to the engine.

    Args:
        agents: The factories.
        observer: Has the context in which the runtime was started.
        kept: Holds the tasks of factories: asyncio has only weak references to tasks.
        supervisor: Decides what follows if an agent cannot be built.
        states: Has the states of agents that were passivated.
    """

    engine: Engine
    passivator: Passivator

    def __init__(
        self,
        agents: AgentTable,
        observer: Observer,
        kept: set[asyncio.Task[None]],
        supervisor: Supervisor,
        states: AgentStates,
    ) -> None:
        self._states = states
        self._agents = agents
        self._supervisor = supervisor
        self._observer = observer
        self._kept = kept
        self._builds: dict[AgentId, asyncio.Future[Agent]] = {}
        # What factories have returned inline, until the task of the build makes its first step.
        self._begun: dict[AgentId, Any] = {}

    async def obtain(self, agent_id: AgentId) -> Agent:
        """Return an agent, building it if it does not exist.

        Raises:
            AgentNotFoundError: Its type is not registered.
            AgentStoppedError: It has failed, and was stopped.
            BaseException: Whatever its factory raises.
        """
        with self.passivator.hold(agent_id):
            return await self._obtain(agent_id)

    async def _obtain(self, agent_id: AgentId) -> Agent:
        await self.passivator.wait_for(agent_id)
        agent = self.engine.instance(agent_id)
        if agent is not None:
            return await self._supervisor.present(agent_id, agent)
        if not self._agents.is_registered(agent_id.type):
            raise not_registered(agent_id)
        build = self._builds.get(agent_id)
        if build is None:
            self.engine.build(agent_id)
            build = self._start(agent_id, copy_context())
        # Several callers may await one build: the cancellation of one must not cancel it.
        # A shield would report an error that the build raises after that, since Python 3.14.
        await asyncio.wait((build,))
        return build.result()

    def is_building(self, agent_id: AgentId) -> bool:
        """Whether the factory of an agent runs."""
        return agent_id in self._builds

    def start(self, agent_id: AgentId) -> None:
        """Start to build an agent for which messages are queued."""
        _ = self._start(agent_id, self._observer.runtime_context)

    def build_inline(self, agent_id: AgentId) -> bool:
        """Build an agent synchronously, if neither its factory nor its activation suspends.

        If one does, a build has begun, for which the message waits.

        Returns:
            Whether the agent exists now.

        Raises:
            BaseException: Whatever its factory raises.
        """
        if not self._agents.is_registered(agent_id.type):
            return False
        if self._supervisor.tracks(agent_id):
            return False
        self.engine.build(agent_id)
        try:
            context = self._observer.runtime_context.copy()
            made = context.run(self._agents.call_factory_for, agent_id)
            agent = None if inspect.isawaitable(made) else self._agents.check(agent_id, made)
            if agent is not None and (has_activation(agent) or self._states.keeps(agent)):
                made, agent = _Made(agent), None
        except BaseException as error:
            self._agents.log_failure(agent_id, error)
            self._supervisor.build_failed(agent_id, error)
            self.engine.build_failed(agent_id, error)
            raise
        if agent is None:
            self._begun[agent_id] = made
            self.start(agent_id)
            return False
        self.engine.built(agent_id, agent)
        return True

    async def discard(self) -> None:
        """Close what factories have returned inline to builds that were cancelled."""
        while self._begun:
            agent_id, begun = self._begun.popitem()
            if isinstance(begun, _Made):
                await close_logged(agent_id, begun.agent, was_active=False)
            elif inspect.iscoroutine(begun):
                begun.close()

    def _start(self, agent_id: AgentId, context: Context) -> asyncio.Future[Agent]:
        loop = asyncio.get_running_loop()
        built: asyncio.Future[Agent] = loop.create_future()
        # Retrieve the error: if no caller awaits the build, the queued messages still get it.
        built.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._builds[agent_id] = built
        work = self._build(agent_id, built)
        task: asyncio.Task[None] = context.copy().run(loop.create_task, work)
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)
        task.add_done_callback(partial(self._ensure_built, agent_id, built))
        return built

    def _ensure_built(
        self, agent_id: AgentId, built: asyncio.Future[Agent], task: asyncio.Task[None]
    ) -> None:
        """Fail a build whose task could not, because it was cancelled before its first step."""
        if not built.done():
            error = asyncio.CancelledError() if task.cancelled() else task.exception()
            self._fail(agent_id, built, error or RuntimeError("the factory task ended early"))

    def _fail(self, agent_id: AgentId, built: asyncio.Future[Agent], error: BaseException) -> None:
        del self._builds[agent_id]
        if not built.done():
            built.set_exception(error)
        self.engine.build_failed(agent_id, error)

    async def _build(self, agent_id: AgentId, built: asyncio.Future[Agent]) -> None:
        try:
            agent = await self._supervisor.construct(agent_id, self._begun.pop(agent_id, None))
        except BaseException as error:
            self._fail(agent_id, built, error)
            if isinstance(error, (asyncio.CancelledError, KeyboardInterrupt, SystemExit)):
                raise
            return
        del self._builds[agent_id]
        built.set_result(agent)
        self.engine.built(agent_id, agent)


class _Made:
    """An agent that was made inline, and is to be activated by a build."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent

    def __await__(self) -> Generator[Any, None, Agent]:
        yield from ()
        return self.agent
